// The output of jobs as users see it: with the times of its lines, live, after a restart and
// after a crash; and on disks that are full, read-only or broken: real ones, mounted over the
// spool, where this test may mount.
#include "tests/support/harness/world.hpp"
#include "tests/system/mounted.hpp"
#include "tests/system/scenario.hpp"

#include <boost/json/serialize.hpp>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

using namespace agentd::testing;

namespace {

std::string one_job(std::string_view command)
{
    js::object more;
    more["then"] = "repeat_last";
    return scenario({conversation(
        "one", {step({background(command)}), step({say("Done.")})}, std::move(more))});
}

// A world whose spool is ready to be mounted over; its daemon is not started yet.
struct unstarted {
    explicit unstarted(std::string_view command, std::string config = {})
        : w{{.scenario = one_job(command), .config = std::move(config), .start = false}}
    {
        ::mkdir(w.state_folder().c_str(), 0700);
        ::mkdir(spool().c_str(), 0700);
    }
    [[nodiscard]] std::string spool() const { return w.state_folder() + "/jobs"; }
    [[nodiscard]] std::string in_workspace(const std::string& name) const
    {
        return w.workspace() + "/" + name;
    }

    world w;
};

std::string job_of(world& w, const std::string& task)
{
    return std::string{w.await_event("job.started", task).at("job_id").as_string()};
}

// The answer to a read of the output once `holds` is true for it.
template <class Holds>
http_reply output_when(world& w, const std::string& job, const std::string& query, Holds holds)
{
    const auto until = std::chrono::steady_clock::now() + patience();
    for (;;) {
        auto reply = w.call("GET", "/v1/jobs/" + job + "/output" + query);
        REQUIRE(reply.status == 200);
        if (holds(reply))
            return reply;
        REQUIRE_MESSAGE(std::chrono::steady_clock::now() < until, w.log());
    }
}

std::size_t count_in(const std::string& text, std::string_view part)
{
    std::size_t count = 0;
    for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1))
        ++count;
    return count;
}

js::object job_facts(world& w, const std::string& job)
{
    return w.json(200, "GET", "/v1/jobs/" + job).as_object();
}

// What is told of a job with a gap, everywhere.
js::object check_gap_told(world& w, const std::string& task, const std::string& job)
{
    const auto shown = job_facts(w, job);
    INFO(js::serialize(shown));
    CHECK(shown.at("state").as_string() == "completed");
    CHECK(shown.at("exit_code").as_int64() == 4);
    REQUIRE(shown.at("gap").is_object());
    const auto told = w.await_event("job.finished", task);
    CHECK(told.at("gap") == shown.at("gap"));
    CHECK(told.at("output_bytes") == shown.at("output_bytes"));
    CHECK(count_in(w.log(), "cannot keep the output of job") == 1);
    return shown.at("gap").as_object();
}

// Ticks until it is told to end.
constexpr std::string_view ticks =
    "while ! [ -e stop ]; do echo tick; sleep 0.02; done; echo back; exit 4";

bool has_gap(const http_reply& reply)
{
    return !reply.header("x-gap").empty();
}

// A time as it stands before a line.
bool is_time(std::string_view text)
{
    return text.size() == 25 && text[4] == '-' && text[10] == 'T' && text.ends_with("Z ");
}

} // namespace

TEST_CASE("output: times before lines, live, after a restart, and with a job that was lost")
{
    world w{{.scenario = one_job("echo one; printf tw; cat go; echo o; exec sleep 300")}};
    REQUIRE(::mkfifo((w.workspace() + "/go").c_str(), 0600) == 0);
    const auto task = w.submit("one");
    const auto job = job_of(w, task);
    const auto following = w.start_ctl({"output", job, "-f", "--timestamps"});
    const auto one = following->read_line(patience());
    REQUIRE(one);
    CHECK(is_time(one->substr(0, 25)));
    CHECK(one->substr(25) == "one");
    write_file(w.workspace() + "/go", "");
    const auto two = following->read_line(patience());
    REQUIRE(two);
    CHECK(two->substr(25) == "two");
    CHECK(two->substr(0, 25) >= one->substr(0, 25));
    const auto all = w.ctl({"output", job, "--timestamps"});
    CHECK(all.code == 0);
    CHECK(all.out == *one + "\n" + *two + "\n");
    CHECK(w.ctl({"output", job, "--timestamps", "--tail-lines", "1"}).out == *two + "\n");
    CHECK(w.ctl({"output", job, "--timestamps", "--offset", "4", "--limit", "2"}).out ==
        two->substr(0, 27));
    w.stop_daemon(SIGKILL);
    w.start_daemon();
    const auto lost = job_facts(w, job);
    CHECK(lost.at("state").as_string() == "lost");
    CHECK(lost.at("output_bytes").as_int64() == 8);
    CHECK(lost.at("gap").is_null());
    CHECK(w.ctl({"output", job, "--timestamps"}).out == *one + "\n" + *two + "\n");
    CHECK(w.ended(task).at("state").as_string() == "succeeded");
    CHECK(last_user_text(w.requests("one").back()).find("| one\n| two") != std::string::npos);
}

TEST_CASE("output: on a full disk the job goes on, the gap is told, and then it is kept again")
{
    unstarted u{"head -c 3000000 /dev/zero | tr '\\0' x; " + std::string{ticks}};
    const mounted disk{u.spool(), "tmpfs", "size=1m"};
    if (!disk.is_there())
        return;
    write_file(u.spool() + "/.filler", std::string(500'000, 'x'));
    u.w.start_daemon();
    const auto task = u.w.submit("one");
    const auto job = job_of(u.w, task);
    const auto follower = u.w.start_ctl({"output", job, "-f", "--raw"});
    output_when(u.w, job, "?offset=2999999", has_gap);
    std::filesystem::remove(u.spool() + "/.filler");
    const auto more = output_when(u.w, job, "?offset=2999999",
        [](const http_reply& reply) { return reply.body.find("tick\ntick\n") != reply.body.npos; });
    CHECK(has_gap(more));
    write_file(u.in_workspace("stop"), "");
    CHECK(u.w.ended(task).at("state").as_string() == "succeeded");
    const auto gap = check_gap_told(u.w, task, job);
    CHECK(gap.at("start").as_int64() < 1'048'576);
    CHECK(gap.at("end").as_int64() > 2'999'999);
    const auto all = u.w.ctl({"output", job});
    CHECK(all.out.ends_with("tick\nback\n"));
    CHECK(all.err.find(" bytes left out]") != std::string::npos);
    const auto followed = follower->read_all(patience()); // it stood still all the time
    CHECK(followed.ends_with("tick\nback\n"));
    CHECK(follower->wait(patience()) == 0);
    CHECK(last_user_text(u.w.requests("one").back()).find("of them not kept") != std::string::npos);
}

TEST_CASE("output: on a read-only disk the job goes on; what comes after it is kept")
{
    unstarted u{ticks};
    const mounted disk{u.spool(), "tmpfs", "size=1m"};
    if (!disk.is_there())
        return;
    u.w.start_daemon();
    disk.make_read_only(true);
    const auto task = u.w.submit("one");
    const auto job = job_of(u.w, task);
    output_when(u.w, job, "", has_gap);
    disk.make_read_only(false);
    output_when(u.w, job, "", [](const http_reply& reply) { return !reply.body.empty(); });
    write_file(u.in_workspace("stop"), "");
    CHECK(u.w.ended(task).at("state").as_string() == "succeeded");
    const auto gap = check_gap_told(u.w, task, job);
    CHECK(gap.at("start").as_int64() == 0);
    const auto all = u.w.ctl({"output", job, "--timestamps"});
    CHECK(all.out.ends_with("Z back\n"));
    CHECK(all.err.find(" bytes left out]") != std::string::npos);
}

TEST_CASE("output: a disk that fails with EIO costs the output, not the job")
{
    unstarted u{ticks};
    const auto image = u.w.folder() + "/image";
    write_file(image, "");
    std::filesystem::resize_file(image, 8U << 20);
    const auto mount = "mkfs.ext4 -q " + image + " >/dev/null 2>&1 && mount -o loop " + image +
        " " + u.spool() + " 2>/dev/null";
    if (std::system(mount.c_str()) != 0) { // NOLINT(concurrency-mt-unsafe): one thread
        std::puts("SKIP: cannot make and mount an ext4");
        return;
    }
    u.w.start_daemon();
    const auto task = u.w.submit("one");
    const auto job = job_of(u.w, task);
    output_when(u.w, job, "", [](const http_reply& reply) { return !reply.body.empty(); });
    {
        const agentd::base::unique_fd disk{::open(u.spool().c_str(), O_RDONLY | O_CLOEXEC)};
        std::uint32_t without_flush = 2;
        // EXT4_IOC_SHUTDOWN: from now on it is a disk that fails.
        REQUIRE(::ioctl(disk.get(), _IOR('X', 125, std::uint32_t), &without_flush) == 0);
    }
    const auto until = std::chrono::steady_clock::now() + patience();
    while (u.w.log().find("cannot keep the output") == std::string::npos)
        REQUIRE_MESSAGE(std::chrono::steady_clock::now() < until, u.w.log());
    write_file(u.in_workspace("stop"), "");
    CHECK(u.w.ended(task).at("state").as_string() == "succeeded");
    check_gap_told(u.w, task, job);
    CHECK(u.w.log().find("Input/output error") != std::string::npos);
    CHECK(u.w.stop_daemon(SIGTERM) == 0);
    ::umount2(u.spool().c_str(), MNT_DETACH);
}

TEST_CASE("output: of ended jobs no more is kept than configured")
{
    world w{{.scenario = one_job("echo gone"), .config = "[retention]\njob_logs_bytes = 0\n"}};
    const auto task = w.submit("one");
    const auto job = job_of(w, task);
    CHECK(w.ended(task).at("state").as_string() == "succeeded");
    const auto reply = w.call("GET", "/v1/jobs/" + job + "/output");
    CHECK(reply.body.empty());
    CHECK(reply.header("x-gap") == "0-5");
    CHECK(std::filesystem::is_empty(w.state_folder() + "/jobs"));
}
