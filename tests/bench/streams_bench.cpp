// What many sessions cost that stream at the same time: memory of the daemon before, with all
// sessions idle, with all of them in the middle of a reply over TLS, and after; and how long it
// takes until all stream. `streams_bench [N]`, 1000 by default; the tests run it with a few.
// The whole world is the tests': the built daemon, the scripted model, one client.
#define DOCTEST_CONFIG_IMPLEMENT
#include "tests/support/harness/world.hpp"
#include "tests/system/scenario.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <sys/resource.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using namespace agentd::testing;
using clock_type = std::chrono::steady_clock;

std::size_t sessions = 1000;

// A figure of /proc in KiB, "Name:   123 kB"; 0 where it cannot be read.
double kib(const std::string& file, std::string_view name)
{
    const auto text = read_file(file);
    const auto at = text.find("\n" + std::string{name} + ":");
    if (at == std::string::npos)
        return 0;
    const auto digits = text.find_first_of("0123456789", at);
    double number = 0;
    std::from_chars(text.data() + digits, text.data() + text.size(), number);
    return number;
}

// Of a process: resident, and its share of what is resident (which root alone may see of a
// process that is not dumpable, as agentd is).
struct memory {
    double rss = 0, pss = 0;

    explicit memory(pid_t pid)
        : rss(kib(fmt::format("/proc/{}/status", pid), "VmRSS")),
          pss(kib(fmt::format("/proc/{}/smaps_rollup", pid), "Pss"))
    {}
    [[nodiscard]] double best() const { return pss > 0 ? pss : rss; }
};

double seconds_since(clock_type::time_point start)
{
    return std::chrono::duration<double>(clock_type::now() - start).count();
}

void print(std::string_view what, const memory& now, const memory& before)
{
    constexpr double mib = 1024;
    fmt::print("{:<28} {:>8.1f} MiB RSS {:>8.1f} MiB PSS {:>+9.1f} KiB a session\n", what,
        now.rss / mib, now.pss / mib, (now.best() - before.best()) / static_cast<double>(sessions));
}

// Two steps for each session: an answer at once, and one that stops in its middle.
std::string two_tasks()
{
    js::object held;
    held["hold"] = "streams";
    held["hold_after_events"] = 6; // the head, a block, and some of its text
    held["deltas"] = 16;
    js::object more;
    more["reply"] = std::move(held);
    const std::string text(2000, 'x');
    return scenario({conversation("stream", {step({say("Hello.")}), step({say(text)}, more)})});
}

struct run {
    run()
        : w{{.scenario = two_tasks(),
              .config = fmt::format("[limits]\nrunning_tasks = {}\n", sessions)}}
    {}

    // One task in each session; new sessions if there are none yet.
    std::vector<std::string> submit_all()
    {
        std::vector<std::string> tasks;
        for (std::size_t i = 0; i < sessions; ++i) {
            js::object more;
            if (!ids.empty())
                more["session_id"] = ids[i];
            tasks.push_back(w.submit(fmt::format("stream {}.", i), std::move(more)));
        }
        return tasks;
    }

    std::size_t succeeded(const std::vector<std::string>& tasks, bool note_sessions)
    {
        std::size_t count = 0;
        for (const auto& task : tasks) {
            const auto end = w.ended(task);
            count += end.at("state").as_string() == "succeeded" ? 1 : 0;
            if (note_sessions)
                ids.emplace_back(end.at("session_id").as_string());
        }
        return count;
    }

    world w;
    std::vector<std::string> ids;
};

} // namespace

TEST_CASE("streams: all sessions stream at once, and all of them succeed")
{
    run r;
    const auto pid = r.w.daemon().pid();
    const memory fresh{pid};
    fmt::print("{} sessions, {} threads, TLS\n", sessions, daemon_threads());
    print("fresh", fresh, fresh);
    REQUIRE(r.succeeded(r.submit_all(), true) == sessions);
    const memory idle{pid};
    print("all sessions idle", idle, fresh);

    auto start = clock_type::now();
    const auto tasks = r.submit_all();
    const auto submitted = seconds_since(start);
    r.w.await_model(fmt::format("held=streams&count={}", sessions));
    const auto streaming = seconds_since(start);
    const memory busy{pid};
    print("all sessions stream", busy, idle);

    start = clock_type::now();
    r.w.release("streams");
    CHECK(r.succeeded(tasks, false) == sessions);
    print("after", memory{pid}, idle);
    fmt::print("submitted in {:.2f} s, all stream after {:.2f} s, all have ended {:.2f} s after "
               "the release\n",
        submitted, streaming, seconds_since(start));
    r.w.check_model_content();
    CHECK_MESSAGE(r.w.stop_daemon(SIGTERM) == 0, r.w.log());
}

int main(int argc, char** argv)
{
    if (argc > 1) {
        const std::string_view text{argv[1]};
        const auto [end, failed] =
            std::from_chars(text.data(), text.data() + text.size(), sessions);
        if (failed != std::errc{} || end != text.data() + text.size() || sessions == 0) {
            fmt::print(stderr, "streams_bench: {} is no number of sessions\n", text);
            return 2;
        }
    }
    // For daemon and model: a connection is a descriptor in each.
    rlimit descriptors{};
    if (::getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
        descriptors.rlim_cur = descriptors.rlim_max;
        static_cast<void>(::setrlimit(RLIMIT_NOFILE, &descriptors));
    }
    ::setenv("AGENTD_TEST_PATIENCE", "5", 0); // NOLINT(concurrency-mt-unsafe): one thread
    return doctest::Context{argc, argv}.run();
}
