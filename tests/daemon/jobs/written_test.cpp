// What a command may write: to its output and into files. Whoever goes beyond is stopped, and it
// is said which bound that was.
#include "tests/daemon/jobs/rig.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>

using namespace agentd;
using namespace std::chrono_literals;
using testing::rig;
using testing::with_both_means;
using testing::with_rig;

namespace {

aio::awaitable<jobs::outcome> run_writing(rig& with, std::string text, jobs::bounds most)
{
    auto what = with.command(std::move(text), 20s);
    what.most = most;
    jobs::job one{with.strand, with.shared, base::new_job_id(), std::move(what), jobs::place{}};
    co_return co_await one.run();
}

void check_killed_by_disk(const jobs::outcome& end, const std::string& reason)
{
    CHECK(end.how == jobs::ended::killed);
    CHECK(end.by == jobs::stopped_by::disk);
    CHECK(end.reason == reason);
}

} // namespace

TEST_CASE("written: a job that prints more than it may is killed by disk, its output ends there")
{
    with_both_means([](rig& with) -> aio::awaitable<> {
        const jobs::bounds most{.output_bytes = 100'000};
        const auto mark = testing::marker();
        const auto end = co_await run_writing(with, "sleep " + mark + " & yes", most);
        check_killed_by_disk(end, "wrote more than its 100000 bytes of output");
        CHECK(end.output_bytes == 100'000);
        CHECK_FALSE(end.gap);
        CHECK(end.output.head.starts_with("y\ny\n"));
        CHECK(testing::processes_with(mark) == 0);
        // What ignores every signal that it may cannot print on either.
        const auto deaf = co_await run_writing(
            with, "trap '' TERM PIPE; while :; do echo x 2>/dev/null; done", most);
        check_killed_by_disk(deaf, "wrote more than its 100000 bytes of output");
        CHECK(deaf.output_bytes == 100'000);
        CHECK(deaf.signal == SIGKILL);
    });
}

TEST_CASE("written: as much as may be printed is printed and no reason for anything")
{
    with_both_means([](rig& with) -> aio::awaitable<> {
        const jobs::bounds most{.output_bytes = 100'000};
        const auto end = co_await run_writing(with, "head -c 100000 /dev/zero; exit 3", most);
        CHECK(end.how == jobs::ended::completed);
        CHECK(end.exit_code == 3);
        CHECK(end.output_bytes == 100'000);
        CHECK(end.reason.empty());
    });
}

TEST_CASE("written: whether a short command is over before it is stopped makes no difference")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        const jobs::bounds most{.output_bytes = 5};
        for (const char* then : {"", "; sleep 0.002", "; sleep 0.02", "; sleep 300"}) {
            CAPTURE(then);
            auto text = std::string{"echo 0123456789"} + then;
            const auto end = co_await run_writing(with, std::move(text), most);
            check_killed_by_disk(end, "wrote more than its 5 bytes of output");
            CHECK(end.output_bytes == 5);
            CHECK(end.output.head == "01234");
        }
    });
}

TEST_CASE("written: a user's stop stays one, whatever is printed after it")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        auto what = with.command("trap 'yes' TERM; echo ready; sleep 300");
        what.most.output_bytes = 1000;
        jobs::job one{with.strand, with.shared, base::new_job_id(), std::move(what), jobs::place{}};
        one.when_launched(
            [&one](const jobs::process_identity&) { one.stop(jobs::stopped_by::user); });
        const auto end = co_await one.run();
        CHECK(end.how == jobs::ended::killed);
        CHECK(end.by == jobs::stopped_by::user);
        CHECK(end.reason.empty());
    });
}

TEST_CASE("written: the bound of all commands holds for foreground commands, too")
{
    auto options = testing::quick();
    options.most.output_bytes = 1000;
    const auto test = [](rig& with) -> aio::awaitable<> {
        const auto end = co_await with.run_foreground("yes");
        check_killed_by_disk(end, "wrote more than its 1000 bytes of output");
        CHECK(end.output_bytes == 1000);
    };
    with_both_means(test, options);
}

TEST_CASE("written: a file larger than it may be is not written, and ends the shell by disk")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        const jobs::bounds most{.file_bytes = 100'000};
        const auto big = with.folder + "/big";
        const auto end = co_await run_writing(with, "exec head -c 200000 /dev/zero >big", most);
        check_killed_by_disk(end, "wrote a file larger than its 100000 bytes");
        CHECK(end.signal == SIGXFSZ);
        CHECK(std::filesystem::file_size(big) == 100'000);
        // A child's end is the shell's to judge; a pipe is no file.
        const auto other = co_await run_writing(
            with, "rm big; head -c 200000 /dev/zero >big; head -c 200000 /dev/zero", most);
        CHECK(other.how == jobs::ended::completed);
        CHECK(other.exit_code == 0);
        CHECK(other.output_bytes >= 200'000); // and the shell's line about the signal
        CHECK(std::filesystem::file_size(big) == 100'000);
        // Without the bound the same signal is anybody's.
        const auto foreign = co_await with.run_job("kill -XFSZ $$");
        CHECK(foreign.how == jobs::ended::completed);
        CHECK(foreign.signal == SIGXFSZ);
    });
}
