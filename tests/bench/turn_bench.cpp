// What agentd adds to a turn with one tool call: from the last byte of the reply that asks for
// `bash` with `true` to the next request, whole at the model's server, over the floor: a bare
// spawn and wait of `sh -c true` plus a loopback round trip with as many bytes. With a control
// group for each command and without; then turns a second of many sessions at once.
// `turn_bench [ROUNDS]`, 5 by default: floor and both means take turns in each round, so that
// what else the machine does falls upon all of them; the medians of all rounds are compared.
// The model is plain HTTP and knows nothing but this one reply.
#define DOCTEST_CONFIG_IMPLEMENT
#include "base/unique_fd.hpp"
#include "tests/bench/floor.hpp"
#include "tests/support/harness/world.hpp"
#include "tests/support/model_bytes.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace agentd::testing;
using namespace agentd::bench;
using agentd::base::unique_fd;

int rounds = 5;
constexpr int turns_of_task = 50; // a short conversation: its own bytes are not what is measured
constexpr int tasks_of_round = 4;
constexpr int many_sessions = 32;
constexpr int turns_of_many = 40;

std::string reply_with(const std::vector<std::string>& block, std::string_view reason)
{
    return streamed(stream_of(block, reason));
}

// Asks for `true` in each reply until so many turns as were expected are over, then says that it
// is done, to every session.
class model {
public:
    model()
    {
        listening_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof where;
        auto* const address = reinterpret_cast<sockaddr*>(&where);
        REQUIRE(::bind(listening_.get(), address, size) == 0);
        REQUIRE(::listen(listening_.get(), 128) == 0);
        REQUIRE(::getsockname(listening_.get(), address, &size) == 0);
        port_ = ntohs(where.sin_port);
        accepting_ = std::thread{[this] { accept(); }};
    }
    ~model()
    {
        stopping_ = true;
        ::shutdown(listening_.get(), SHUT_RDWR);
        accepting_.join();
        for (const auto& one : open_)
            ::shutdown(one.get(), SHUT_RDWR);
        for (auto& one : serving_)
            one.join();
    }
    model(const model&) = delete;
    model& operator=(const model&) = delete;

    [[nodiscard]] std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }
    // Of the tasks that come next: so many turns all together, then all of them end.
    void expect(int turns) { left_ = turns; }
    // The times between a reply and the next request on its connection, in us; then none.
    std::vector<double> take_gaps()
    {
        const std::lock_guard hold{guard_};
        return std::exchange(gaps_, {});
    }
    [[nodiscard]] std::size_t request_bytes() const { return request_bytes_; }
    [[nodiscard]] static std::size_t reply_bytes() { return reply_of(0).size(); }

private:
    static std::string reply_of(int number)
    {
        const auto id = fmt::format("toolu_{:08}", number);
        return reply_with(
            {tool_start(0, id, "bash"), input_delta(0, R"({"command":"true"})"), block_stop(0)},
            "tool_use");
    }

    void accept()
    {
        while (!stopping_) {
            unique_fd one{::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
            if (!one)
                continue;
            const int on = 1;
            ::setsockopt(one.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            serving_.emplace_back([this, fd = one.get()] { serve(fd); });
            open_.push_back(std::move(one));
        }
    }

    // One request's bytes; 0 at the connection's end.
    static std::size_t read_request(int fd, std::string& buffer)
    {
        std::size_t have = 0, want = 0;
        do {
            if (buffer.size() - have < 65536)
                buffer.resize(buffer.size() + 65536);
            const auto n = ::recv(fd, buffer.data() + have, buffer.size() - have, 0);
            if (n <= 0)
                return 0;
            have += static_cast<std::size_t>(n);
            const std::string_view seen{buffer.data(), have};
            const auto head = want == 0 ? seen.find("\r\n\r\n") : seen.npos;
            const auto length = head == seen.npos ? seen.npos : seen.find("content-length: ");
            if (length != seen.npos)
                want = head + 4 + std::strtoul(buffer.c_str() + length + 16, nullptr, 10);
        } while (want == 0 || have < want);
        return want;
    }

    void serve(int fd)
    {
        const auto end =
            reply_with({text_start(0), text_delta(0, "Done."), block_stop(0)}, "end_turn");
        std::string buffer;
        clock_type::time_point sent{};
        while (const auto bytes = read_request(fd, buffer)) {
            const auto whole = clock_type::now();
            if (sent != clock_type::time_point{}) {
                const std::lock_guard hold{guard_};
                gaps_.push_back(micros{whole - sent}.count());
            }
            request_bytes_ = bytes;
            const int left = left_.fetch_sub(1);
            const auto reply = left > 0 ? reply_of(++number_) : end;
            // Before it is sent: what the kernel needs to send it counts, too.
            sent = left > 0 ? clock_type::now() : clock_type::time_point{};
            if (::send(fd, reply.data(), reply.size(), MSG_NOSIGNAL) < 0)
                return;
        }
    }

    unique_fd listening_;
    std::uint16_t port_ = 0;
    std::atomic<bool> stopping_ = false;
    std::atomic<int> left_ = 0, number_ = 0;
    std::atomic<std::size_t> request_bytes_ = 0;
    std::mutex guard_; // of gaps_
    std::vector<double> gaps_;
    std::vector<unique_fd> open_;
    std::vector<std::thread> serving_;
    std::thread accepting_;
};

struct side {
    explicit side(std::string_view cgroup)
        : w{{.config = fmt::format("[jobs]\ncgroup = \"{}\"\n", cgroup), .model_url = asked.url()}}
    {
        const auto info = w.json(200, "GET", "/v1/info").as_object();
        means = info.at("supervision").at("means").as_string();
    }

    void run_tasks(int count, int turns)
    {
        for (int i = 0; i < count; ++i) {
            asked.expect(turns);
            const auto end = w.ended(w.submit("turns", {{"max_turns", turns + 10}}));
            REQUIRE_MESSAGE(end.at("state").as_string() == "succeeded", w.log());
        }
    }

    // Turns a second, all sessions together.
    double run_many()
    {
        asked.expect(many_sessions * turns_of_many);
        std::vector<std::string> tasks;
        const auto began = clock_type::now();
        for (int i = 0; i < many_sessions; ++i)
            tasks.push_back(w.submit("turns", {{"max_turns", many_sessions * turns_of_many}}));
        for (const auto& task : tasks)
            REQUIRE(w.ended(task).at("state").as_string() == "succeeded");
        const std::chrono::duration<double> took = clock_type::now() - began;
        return many_sessions * turns_of_many / took.count();
    }

    model asked;
    world w;
    std::string means;
    std::vector<double> gaps;
};

struct floor_figures {
    std::vector<double> spawn, trip;
};

void measure_floor(floor_figures& into, std::size_t request, std::size_t reply)
{
    loopback other{request, reply};
    for (int i = 0; i < turns_of_task * tasks_of_round; ++i) {
        into.spawn.push_back(spawn_and_wait().count());
        into.trip.push_back(other.round_trip().count());
    }
}

void print(side& one, double floor)
{
    const auto p50 = share(one.gaps, 0.5);
    fmt::print("tool turn, means {:<10} median {:>6.0f} us, p90 {:>6.0f} us; over the floor {:.2f} "
               "(held to 1.50)\n",
        one.means, p50, share(one.gaps, 0.9), p50 / floor);
}

} // namespace

TEST_CASE("turns: a tool turn over its floor, with control groups and without")
{
    side with{"auto"};
    side without{"off"};
    if (with.means != "cgroup")
        fmt::print("no control groups here: both are without\n");
    with.run_tasks(1, turns_of_task); // warm
    without.run_tasks(1, turns_of_task);
    floor_figures floors;
    with.asked.take_gaps();
    without.asked.take_gaps();
    for (int i = 0; i < rounds; ++i) {
        measure_floor(floors, with.asked.request_bytes() / 2, model::reply_bytes());
        for (side* one : {&with, &without}) {
            one->run_tasks(tasks_of_round, turns_of_task);
            for (const double gap : one->asked.take_gaps())
                one->gaps.push_back(gap);
        }
    }
    const auto spawn = share(floors.spawn, 0.5);
    const auto trip = share(floors.trip, 0.5);
    fmt::print("{} rounds of {} turns\n", rounds, tasks_of_round * turns_of_task);
    fmt::print("floor: `sh -c true` {:.0f} us, loopback round trip {:.0f} us\n", spawn, trip);
    print(with, spawn + trip);
    print(without, spawn + trip);
    for (side* one : {&with, &without})
        fmt::print("{} sessions at once, means {:<10} {:>6.0f} turns a second (a bare spawn after "
                   "the other: {:.0f})\n",
            many_sessions, one->means, one->run_many(), 1e6 / spawn);
    CHECK(with.w.stop_daemon(SIGTERM) == 0);
    CHECK(without.w.stop_daemon(SIGTERM) == 0);
}

int main(int argc, char** argv)
{
    if (argc > 1 && argv[1][0] != '-') {
        rounds = std::atoi(argv[1]); // NOLINT(cert-err34-c): a benchmark's own argument
        if (rounds <= 0) {
            fmt::print(stderr, "turn_bench: {} is no number of rounds\n", argv[1]);
            return 2;
        }
    }
    return doctest::Context{argc, argv}.run();
}
