// agentd with fail points: the objects of the shipped daemon, and instead of its empty
// fail_point() this one. AGENTD_FAIL_POINT=STEP:before|after[:N] kills the process at that
// moment of the Nth (default: first) commit of that name, as the kernel would: SIGKILL.
// On the threads that commit.
#include "store/fail_point.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>

namespace agentd::store {
namespace {

struct wish {
    std::string point; // "STEP:before"
    std::atomic<int> left = 1;

    wish()
    {
        const char* text = std::getenv("AGENTD_FAIL_POINT"); // NOLINT: nobody sets one
        if (text == nullptr)
            return;
        point = text;
        if (const auto second = point.find(':', point.find(':') + 1); second != point.npos) {
            left = std::atoi(point.c_str() + second + 1); // NOLINT: our own test's
            point.resize(second);
        }
    }
};

} // namespace

void fail_point(step name, moment of_commit)
{
    static wish wanted;
    if (wanted.point.empty())
        return;
    const auto here =
        fmt::format("{}:{}", to_string(name), of_commit == moment::before ? "before" : "after");
    if (here == wanted.point && --wanted.left == 0) {
        ::kill(::getpid(), SIGKILL);
        ::pause(); // the signal is for the process: another thread may have taken it
    }
}

} // namespace agentd::store
