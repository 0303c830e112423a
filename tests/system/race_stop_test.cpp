// An orderly stop in the middle of everything, while followers come and go; then a start. Each
// open task goes on once, and is told of all that was lost by one element. See race_test.cpp.
#include "base/unique_fd.hpp"
#include "tests/system/evidence.hpp"

#include <doctest/doctest.h>

#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <thread>

using namespace agentd::testing;

namespace {

// Followers that connect, ask for the events, read a little and are gone; until destroyed.
class coming_and_going {
public:
    explicit coming_and_going(std::string socket)
        : thread_([this, socket = std::move(socket)] {
              while (!done_)
                  follow(socket);
          })
    {}
    ~coming_and_going()
    {
        done_ = true;
        thread_.join();
    }
    coming_and_going(const coming_and_going&) = delete;
    coming_and_going& operator=(const coming_and_going&) = delete;

private:
    // Errors are its daily bread: the daemon may be away.
    static void follow(const std::string& socket)
    {
        const agentd::base::unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, socket.c_str(), socket.size());
        if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
            std::this_thread::yield();
            return;
        }
        constexpr std::string_view ask =
            "GET /v1/events?after=0&follow=1 HTTP/1.1\r\nHost: agentd\r\n\r\n";
        if (::send(fd.get(), ask.data(), ask.size(), MSG_NOSIGNAL) < 0)
            return;
        char some[2048];
        static_cast<void>(::recv(fd.get(), some, sizeof some, 0));
    }

    std::atomic<bool> done_ = false;
    std::thread thread_; // last: it uses the others
};

js::object expect(js::object what)
{
    js::object more;
    more["expect"] = std::move(what);
    return more;
}

std::string three_kinds()
{
    const js::value cut{{"is_error", true}, {"contains", "agentd was stopped"}};
    js::object wait = {{"capture", {{"id", "Background task ([0-9a-f]{8})"}}}};
    return scenario({interrupted("tool",
                         {step({use("bash", {{"command", "echo x >> ran; sleep 300"}})}),
                             step({say("Cut.")}, expect({{"tool_results", js::array{cut}}})),
                             step({say("Next.")})}),
        interrupted("stream",
            {step({say("This is never whole.")},
                 {{"reply", {{"hold", "ever"}, {"hold_after_events", 4}}}}),
                step({say("Whole.")})}),
        interrupted("wait",
            {step({background("sleep 300"), background("sleep 300")}),
                step({say("I wait.")}, std::move(wait)),
                step({say("Killed.")},
                    expect({{"history_once",
                        js::array{"[bg:${id}] killed by shutdown", "<background-results>"}}}))})});
}

} // namespace

TEST_CASE("race: stopped while a tool runs, a reply streams, a task waits, another is queued")
{
    world w{{.scenario = three_kinds()}};
    std::vector<std::string> tasks;
    for (int round = 0; round < 3; ++round) {
        const auto number = std::to_string(round);
        const coming_and_going followers{w.socket()};
        const auto tool = w.submit("tool " + number);
        const auto behind = w.submit("behind it", {{"session_id", session_of(w, tool)}});
        const auto stream = w.submit("stream " + number);
        const auto waits = w.submit("wait " + number);
        w.await_event("tool.started", tool);
        w.await_event("task.waiting", waits);
        w.await_model("held=ever");
        const auto ran =
            w.workspace() + "/ran"; // an event may come before the first word of its tool
        while (count_of(read_file(ran), "x") <= static_cast<std::size_t>(round))
            CHECK(w.call("GET", "/v1/health").status == 200);
        CHECK_MESSAGE(w.stop_daemon(SIGTERM) == 0, w.log());
        w.start_daemon();
        CHECK(w.ended(tool).at("result").as_string() == "Cut.");
        CHECK(w.ended(behind).at("result").as_string() == "Next.");
        CHECK(w.ended(stream).at("result").as_string() == "Whole.");
        CHECK(w.ended(waits).at("result").as_string() == "Killed.");
        check_told_once(w, {session_of(w, waits)});
        tasks.insert(tasks.end(), {tool, behind, stream, waits});
    }
    CHECK(read_file(w.workspace() + "/ran") == "x\nx\nx\n"); // none was run again
    check_ends(w, tasks);
    check_gapless(w);
    w.check_model_content();
    CHECK_MESSAGE(w.stop_daemon(SIGTERM) == 0, w.log());
}

TEST_CASE("race: stopped at any moment of many tasks; all of them reach their end")
{
    world w{{.scenario = scenario({interrupted("work",
                 {step({use("bash", {{"command", "echo one"}}), background("sleep 0.02; echo two"),
                      background("sleep 0.1")}),
                     step({use("bash", {{"command", "sleep 0.02"}})}), step({say("Fine.")})})}),
        .config = "wake_window_ms = 10\n"}};
    std::vector<std::string> tasks;
    for (int round = 0; round < 5; ++round) {
        const coming_and_going followers{w.socket()};
        for (int i = 0; i < 5; ++i) {
            tasks.push_back(w.submit("work " + std::to_string(round) + "." + std::to_string(i)));
            tasks.push_back(w.submit("more", {{"session_id", session_of(w, tasks.back())}}));
        }
        for (int i = 0; i < round * 4; ++i)
            CHECK(w.call("GET", "/v1/health").status == 200);
        CHECK_MESSAGE(w.stop_daemon(SIGTERM) == 0, w.log());
        w.start_daemon();
    }
    std::vector<std::string> sessions;
    for (const auto& task : tasks) {
        const auto end = w.ended(task);
        CHECK_MESSAGE(state_of(end) == "succeeded", js::serialize(end));
        sessions.emplace_back(end.at("session_id").as_string());
    }
    check_told_once(w, sessions);
    check_ends(w, tasks);
    check_gapless(w);
    w.check_model_content();
    CHECK_MESSAGE(w.stop_daemon(SIGTERM) == 0, w.log());
}

// Reading the certificates takes longer than all else between the first submit and its request.
TEST_CASE("race: stopped while the certificates are being read, the daemon ends in order")
{
    world w{{.scenario = scenario({interrupted("hello", {step({say("Fine.")})})})}};
    std::vector<std::string> tasks;
    for (int round = 0; round < 12; ++round) {
        tasks.push_back(w.submit("hello " + std::to_string(round)));
        for (int i = 0; i < round; ++i)
            CHECK(w.call("GET", "/v1/health").status == 200);
        REQUIRE_MESSAGE(w.stop_daemon(SIGTERM) == 0, w.log());
        w.start_daemon();
    }
    for (const auto& task : tasks)
        CHECK(state_of(w.ended(task)) == "succeeded");
}
