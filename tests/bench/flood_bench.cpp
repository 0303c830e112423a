// A command that writes as fast as it can: the rate at which agentd takes its output and the
// memory that it needs for it, of a job, of a foreground command, and of a job with followers
// that stand still or read; beside it, in the same run, the rate at which `cat >/dev/null` takes
// the same bytes from a pipe. `flood_bench [GIB]`, 10 by default; the tests run it with 1 and
// hold it to the memory, and to the job's counts, alone.
#define DOCTEST_CONFIG_IMPLEMENT
#include "tests/support/harness/paths.hpp"
#include "tests/support/harness/world.hpp"
#include "tests/system/scenario.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace {

using namespace agentd::testing;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
constexpr bool sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool sanitized = false;
#endif

std::uint64_t gib = 10;
constexpr double mib = 1024;         // KiB
constexpr double most_memory = 4096; // KiB, for the output of one command (DESIGN 11)
// Of each follower: its connection, and a piece of output on its way.
constexpr double follower_memory = 512;
constexpr std::size_t followers = 100;

std::uint64_t flood_bytes()
{
    return gib << 30;
}

// A figure of /proc/PID/status in KiB.
double kib(pid_t pid, std::string_view name)
{
    const auto text = read_file(fmt::format("/proc/{}/status", pid));
    const auto at = text.find("\n" + std::string{name} + ":");
    REQUIRE(at != std::string::npos);
    const auto digits = text.find_first_of("0123456789", at);
    double number = 0;
    std::from_chars(text.data() + digits, text.data() + text.size(), number);
    return number;
}

// How much more than at the beginning a process has had resident at most.
class growth {
public:
    explicit growth(pid_t pid) : pid_(pid)
    {
        write_file(fmt::format("/proc/{}/clear_refs", pid), "5"); // the peak is the present
        before_ = kib(pid, "VmRSS");
    }
    [[nodiscard]] double kib_more() const { return kib(pid_, "VmHWM") - before_; }

private:
    pid_t pid_;
    double before_ = 0;
};

std::string yes()
{
    return fmt::format("yes 0123456789abcde | head -c {}", flood_bytes());
}

std::string random_bytes()
{
    return fmt::format("head -c {} /dev/urandom", flood_bytes());
}

// GB/s at which cat takes it through a pipe to nowhere.
double rate_of_cat(const std::string& command)
{
    const auto start = std::chrono::steady_clock::now();
    const auto line = "(" + command + ") | cat >/dev/null";
    REQUIRE(std::system(line.c_str()) == 0); // NOLINT(concurrency-mt-unsafe): one thread
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    return static_cast<double>(flood_bytes()) / took.count() / 1e9;
}

void print(std::string_view what, double rate, double cat, double more)
{
    fmt::print("{:<34} {:>6.2f} GB/s {:>6.2f} of cat's {:>+8.1f} MiB\n", what, rate, rate / cat,
        more / mib);
}

std::string conversations()
{
    js::object more;
    more["then"] = "repeat_last";
    const auto one = [&more](std::string_view prompt, js::value call) {
        return conversation(prompt, {step({std::move(call)}), step({say("Done.")})}, more);
    };
    const auto bash = use("bash", {{"command", yes()}, {"timeout_s", 600}});
    const std::string little{"yes 0123456789abcde | head -c 2000000"};
    const auto warm = conversation("warm",
        {step({background(little), use("bash", {{"command", little}})}), step({say("Done.")})},
        more);
    return scenario({warm, one("yes", background(yes())), one("random", background(random_bytes())),
        one("followed", background(yes())), one("bash", bash)});
}

// Runs a job to its end: its GB/s. `meanwhile` gets its id once it runs.
double run_job(world& w, std::string_view prompt, const std::function<void(std::string)>& meanwhile)
{
    const auto task = w.submit(prompt);
    const std::string id{w.await_event("job.started", task).at("job_id").as_string()};
    if (meanwhile)
        meanwhile(id);
    CHECK(w.ended(task).at("state").as_string() == "succeeded");
    const auto job = w.json(200, "GET", "/v1/jobs/" + id).as_object();
    CHECK(job.at("exit_code").as_int64() == 0);
    CHECK(job.at("output_bytes").as_int64() == static_cast<std::int64_t>(flood_bytes()));
    REQUIRE(job.at("gap").is_object());
    const auto kept = job.at("output_bytes").as_int64() - job.at("gap").at("end").as_int64() +
        job.at("gap").at("start").as_int64();
    CHECK(kept <= 64 << 20);
    CHECK(kept >= 48 << 20);
    return static_cast<double>(flood_bytes()) / static_cast<double>(job.at("wall_ms").as_int64()) /
        1e6;
}

struct flood {
    // Warm: what the first task, job, command and connection need once is there.
    flood() : w{{.scenario = conversations()}}
    {
        CHECK(w.ended(w.submit("warm")).at("state").as_string() == "succeeded");
    }
    world w;
};

void check_memory(double more, double most)
{
    if (!sanitized)
        CHECK(more <= most);
}

} // namespace

TEST_CASE("flood: jobs")
{
    flood f;
    for (const auto& [name, command] : {std::pair{"yes", yes()}, {"random", random_bytes()}}) {
        const double cat = rate_of_cat(command);
        const growth memory{f.w.daemon().pid()};
        const double rate = run_job(f.w, name, {});
        print(fmt::format("job: {}", name), rate, cat, memory.kib_more());
        check_memory(memory.kib_more(), most_memory);
    }
}

TEST_CASE("flood: a foreground command")
{
    flood f;
    const double cat = rate_of_cat(yes());
    const growth memory{f.w.daemon().pid()};
    const auto task = f.w.submit("bash");
    const auto end = f.w.await_event("tool.finished", task);
    CHECK(f.w.ended(task).at("state").as_string() == "succeeded");
    const auto ms = static_cast<double>(end.at("wall_ms").as_int64());
    print("bash: yes", static_cast<double>(flood_bytes()) / ms / 1e6, cat, memory.kib_more());
    check_memory(memory.kib_more(), most_memory);
}

TEST_CASE("flood: a job with followers that stand still")
{
    flood f;
    const double cat = rate_of_cat(yes());
    const growth memory{f.w.daemon().pid()};
    std::vector<http_client> stalled;
    const double rate = run_job(f.w, "followed", [&](const std::string& id) {
        for (std::size_t i = 0; i < followers; ++i) {
            stalled.push_back(f.w.connect());
            CHECK(stalled.back().open_stream("/v1/jobs/" + id + "/output?follow=1").status == 200);
        }
    });
    print(
        fmt::format("job: yes, {} followers stand still", followers), rate, cat, memory.kib_more());
    check_memory(memory.kib_more(), most_memory + follower_memory * followers);
}

TEST_CASE("flood: a job with a follower that reads")
{
    flood f;
    const double cat = rate_of_cat(yes());
    const growth memory{f.w.daemon().pid()};
    std::unique_ptr<process> reader;
    const double rate = run_job(f.w, "followed", [&](const std::string& id) {
        const program agentctl{.argv = {agentctl_path, "--socket", f.w.socket(), "output", id, "-f",
                                   "--raw", "--timestamps"},
            .env = {},
            .folder = {},
            .stdout_file = "/dev/null",
            .stderr_file = "/dev/null"};
        reader = std::make_unique<process>(agentctl);
    });
    print("job: yes, one follower reads", rate, cat, memory.kib_more());
    check_memory(memory.kib_more(), most_memory + 4 * follower_memory);
    reader->signal(SIGKILL);
}

int main(int argc, char** argv)
{
    if (argc > 1) {
        const std::string_view text{argv[1]};
        const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), gib);
        if (failed != std::errc{} || end != text.data() + text.size() || gib == 0) {
            fmt::print(stderr, "flood_bench: {} is no number of GiB\n", text);
            return 2;
        }
    }
    ::setenv("AGENTD_TEST_PATIENCE", "5", 0); // NOLINT(concurrency-mt-unsafe): one thread
    return doctest::Context{argc, argv}.run();
}
