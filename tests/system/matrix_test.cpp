// What a refused system call makes of the state, of the local API's socket and of the connection
// to the model: the cells of fault_matrix.md that no other test has. In need of strace and the
// right to trace; run alone, in the release build.
#include "tests/system/evidence.hpp"
#include "tests/system/remains.hpp"
#include "tests/system/tracer.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>

#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <cstdio>

using namespace agentd::testing;

namespace {

constexpr std::array<const char*, 4> errors_of_disks{"ENOSPC", "EIO", "EROFS", "EAGAIN"};

std::string story()
{
    js::object held;
    held["reply"] = {{"hold", "reply"}};
    js::object more;
    more["then"] = "repeat_last";
    std::vector<js::value> all{conversation("hello", {step({say("Hello.")})}, std::move(more)),
        interrupted("again", {step({say("Lost.")}, held), step({say("Again.")})})};
    for (const std::string error : errors_of_disks)
        all.push_back(interrupted("long " + error,
            {step({background("sleep 300")}), step({use("bash", {{"command", "sleep 300"}})})}));
    return scenario(std::move(all));
}

bool can_trace(const tracer& faulty)
{
    if (!faulty.refusal().empty())
        std::puts(("SKIP: " + faulty.refusal()).c_str());
    return faulty.refusal().empty();
}

// False: one thread of the daemon has the sockets, else nobody knows which.
bool has_one_loop()
{
    if (daemon_threads() != 1)
        std::puts("SKIP: more than one thread");
    return daemon_threads() == 1;
}

faults in_loop(std::string one)
{
    return {.inject = {std::move(one)}, .paths = {}, .whose = traced::loop};
}

std::string log_file(const world& w)
{
    return w.folder() + "/strace.log";
}

bool is_degraded(world& w)
{
    return w.json(200, "GET", "/v1/health").at("status") == "degraded";
}

// --- the state

struct store_row {
    std::string error;
    int status;
    std::string problem;
    std::string reason;
};

void check_store(world& w, const store_row& row, std::size_t count)
{
    const auto task = w.submit("long " + row.error);
    w.await_event("tool.started", task);
    const auto job = std::string{w.await_event("job.started", task).at("job_id").as_string()};
    const faults what{.inject = {"pwrite64:error=" + row.error + ":when=1+"},
        .paths = {},
        .whose = traced::store};
    tracer faulty{w.daemon().pid(), what, log_file(w)};
    if (!can_trace(faulty))
        return;
    const auto body = js::serialize(js::value{{"prompt", "hello"}, {"workdir", w.workspace()}});
    for (int i = 0; i < 2; ++i) { // the first meets it, the second is not even tried
        const auto refused = w.call("POST", "/v1/tasks", body);
        CHECK(refused.status == row.status);
        CHECK_MESSAGE(refused.body.find("urn:agentd:problem:" + row.problem) != std::string::npos,
            refused.body);
        CHECK_MESSAGE(refused.body.find(row.reason) != std::string::npos, refused.body);
    }
    CHECK(is_degraded(w));
    CHECK(w.task(task).at("state") == "running");
    CHECK(w.call("POST", "/v1/tasks/" + task + "/cancel").status == 202);
    CHECK(soon_empty([&job] { return marked("AGENTD_JOB_ID=" + job); }) == "");
    faulty.detach();
    CHECK(w.ended(task).at("state") == "cancelled");
    const auto over = soon_empty([&w, count] {
        const auto all = w.events("&types=daemon.degraded,daemon.restored");
        return all.size() == 2 * count ? std::string{} : "events: " + std::to_string(all.size());
    });
    CHECK(over == "");
    CHECK(!is_degraded(w));
    CHECK(w.ended(w.submit("hello")).at("state") == "succeeded");
}

// --- sockets

void check_next_client(world& w, const char* inject, const char* log)
{
    CAPTURE(std::string{inject});
    auto before = w.connect();
    CHECK(before.call("GET", "/v1/health").status == 200);
    tracer faulty{w.daemon().pid(), in_loop(inject), log_file(w)};
    if (!can_trace(faulty))
        return;
    auto next = w.connect();
    const auto answer = next.call("GET", "/v1/health");
    CHECK(answer.status == 200);
    CHECK(!faulty.failed().empty());
    faulty.detach();
    CHECK(before.call("GET", "/v1/health").status == 200);
    if (log != nullptr)
        CHECK_MESSAGE(w.log().find(log) != std::string::npos, w.log());
}

// A call of one connection fails: it is closed, and the daemon goes on.
void check_lost_client(world& w, const char* inject)
{
    CAPTURE(std::string{inject});
    tracer faulty{w.daemon().pid(), in_loop(inject), log_file(w)};
    if (!can_trace(faulty))
        return;
    {
        auto lost = w.connect();
        lost.send_raw("GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n");
        CHECK(lost.is_closed());
    }
    CHECK(!faulty.failed().empty());
    faulty.detach();
    auto next = w.connect();
    CHECK(next.call("GET", "/v1/health").status == 200);
}

// --- the connection to the model

// A first connection that is refused: the request is sent again.
void check_dial(const char* inject)
{
    CAPTURE(std::string{inject});
    world w{{.scenario = story()}};
    CHECK(!is_degraded(w)); // our own connection is there before
    tracer faulty{w.daemon().pid(), in_loop(inject), log_file(w)};
    if (!can_trace(faulty))
        return;
    const auto task = w.submit("hello");
    CHECK(w.ended(task).at("state") == "succeeded");
    CHECK(!faulty.failed().empty());
    CAPTURE(faulty.failed());
    faulty.detach();
    CHECK(w.events("&types=model.retry&task_id=" + task).size() == 1);
}

// A connection that is lost amid a reply: the request is sent again.
void check_reply(const char* inject)
{
    CAPTURE(std::string{inject});
    world w{{.scenario = story()}};
    const auto task = w.submit("again");
    w.await_model("held=reply");
    tracer faulty{w.daemon().pid(), in_loop(inject), log_file(w)};
    w.release("reply");
    if (!can_trace(faulty))
        return;
    // Before the daemon is asked, which would make calls of its own.
    const auto hit = soon_empty(
        [&faulty] { return std::string{faulty.failed().empty() ? "no call failed" : ""}; });
    CHECK(hit == "");
    const auto end = w.ended(task);
    faulty.detach();
    CHECK(end.at("result") == "Again.");
    CHECK(w.events("&types=model.retry&task_id=" + task).size() == 1);
}

} // namespace

TEST_CASE("matrix: a disk that refuses the state; it is back without a restart")
{
    world w{{.scenario = story(), .config = "[jobs]\ngrace_s = 1\n"}};
    const std::vector<store_row> rows{
        {"ENOSPC", 507, "storage_full", "the disk is full"},
        {"EIO", 503, "storage_failed", "Input/output error"},
        {"EROFS", 503, "storage_failed", "Read-only file system"},
        {"EAGAIN", 503, "storage_failed", "Resource temporarily unavailable"},
    };
    std::size_t count = 0;
    for (const auto& row : rows) {
        CAPTURE(row.error);
        check_store(w, row, ++count);
    }
    check_gapless(w);
    CHECK(w.stop_daemon(SIGTERM) == 0);
}

TEST_CASE("matrix: the state needs no new descriptor")
{
    world w{{.scenario = story()}};
    const auto task = w.submit("again");
    w.await_model("held=reply");
    rlimit before{};
    REQUIRE(::prlimit(w.daemon().pid(), RLIMIT_NOFILE, nullptr, &before) == 0);
    const rlimit none{0, before.rlim_max};
    REQUIRE(::prlimit(w.daemon().pid(), RLIMIT_NOFILE, &none, nullptr) == 0);
    CHECK(w.call("POST", "/v1/tasks/" + task + "/messages", R"({"text":"x"})").status == 202);
    CHECK(!is_degraded(w));
    REQUIRE(::prlimit(w.daemon().pid(), RLIMIT_NOFILE, &before, nullptr) == 0);
    w.release("reply");
    CHECK(w.ended(task).at("state") == "succeeded");
}

TEST_CASE("matrix: a refused call costs a client of the API its connection at the most")
{
    if (!has_one_loop())
        return;
    world w{{.scenario = story()}};
    check_next_client(w, "accept4:error=EMFILE:when=1..2", "Too many open files");
    check_next_client(w, "accept4:error=EIO:when=1", nullptr);
    check_next_client(w, "accept4:error=EAGAIN:when=1..2", nullptr);
    check_lost_client(w, "epoll_ctl:error=ENOSPC:when=1");
    check_lost_client(w, "recvfrom,recvmsg:error=EIO:when=1");
}

TEST_CASE("matrix: a connection to the model that is refused or lost is made anew")
{
    if (!has_one_loop())
        return;
    for (const char* inject :
        {"socket:error=EMFILE:when=1", "connect:error=EAGAIN:when=1", "connect:error=EIO:when=1",
            "connect:error=EROFS:when=1", "connect:error=ENOSPC:when=1"})
        check_dial(inject);
    check_reply("recvfrom:error=EIO:when=1");
}
