// exit_job BOARD: a small process that ends when it gets SIGUSR1 and says when that was
// (exit_board.hpp). Links nothing, so that its end is quick.
#include "tests/bench/exit_board.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

int main(int argc, char** argv)
{
    using agentd::bench::exit_board;
    const int file = argc == 2 ? ::open(argv[1], O_RDWR | O_CLOEXEC) : -1;
    void* const at =
        ::mmap(nullptr, sizeof(exit_board), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file < 0 || at == MAP_FAILED)
        return 1;
    sigset_t told;
    ::sigemptyset(&told);
    ::sigaddset(&told, SIGUSR1);
    ::sigprocmask(SIG_BLOCK, &told, nullptr);

    auto& board = *static_cast<exit_board*>(at);
    const auto number = board.taken.fetch_add(1);
    if (number >= exit_board::most)
        return 1;
    auto& slot = board.slots[number];
    if (const char* id = std::getenv("AGENTD_JOB_ID")) // NOLINT(concurrency-mt-unsafe): one thread
        std::strncpy(slot.job_id, id, sizeof slot.job_id - 1);
    slot.pid = ::getpid();
    int number_of_signal = 0;
    ::sigwait(&told, &number_of_signal);
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    constexpr std::int64_t second = 1'000'000'000;
    slot.ended_ns = now.tv_sec * second + now.tv_nsec;
    ::_exit(0);
}
