// The frozen exit codes of agentctl, each for a real reason.
#include "base/unique_fd.hpp"
#include "tests/support/harness/paths.hpp"
#include "tests/system/surface.hpp"

#include <doctest/doctest.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <thread>

using namespace agentd::testing;

namespace {

using words = std::vector<std::string>;

js::object held(const std::string& name)
{
    return {{"reply", {{"hold", name}}}};
}

js::value failing_step()
{
    return {{"reply", {{"status", 400}, {"error", {{"message", "No, thank you."}}}}}};
}

std::string task_of(const world::ctl_result& submitted)
{
    return submitted.out.substr(0, 12);
}

// A socket behind which somebody answers one request with these bytes.
class odd_daemon {
public:
    odd_daemon(const std::string& path, std::string answer)
        : listening_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.c_str(), path.size());
        REQUIRE(
            ::bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(listening_.get(), 4) == 0);
        thread_ = std::thread{[this, what = std::move(answer)] { serve(what); }};
    }
    ~odd_daemon()
    {
        ::shutdown(listening_.get(), SHUT_RDWR);
        thread_.join();
    }
    odd_daemon(const odd_daemon&) = delete;
    odd_daemon& operator=(const odd_daemon&) = delete;

private:
    void serve(const std::string& answer) const
    {
        const agentd::base::unique_fd client{
            ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        char bytes[4096];
        if (!client || ::recv(client.get(), bytes, sizeof bytes, 0) <= 0)
            return;
        static_cast<void>(::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL));
    }

    agentd::base::unique_fd listening_;
    std::thread thread_;
};

program_end lone_ctl(const scratch_folder& in, words arguments)
{
    words argv{agentctl_path};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return run_program(std::move(argv), in);
}

} // namespace

TEST_CASE("exit codes: 0 for a task that succeeded, 1 for one that failed, 6 for a cancelled one")
{
    world w{{.scenario = scenario({conversation("fail", {failing_step()}),
                                      conversation("hold", {step({say("x")}, held("h"))})},
                 hello_to_all())}};
    CHECK(w.ctl({"run", "greet"}).code == 0);
    const auto failed = w.ctl({"run", "fail at it"});
    CHECK(failed.code == 1);
    CHECK(failed.err.find("model_error") != std::string::npos);
    const auto id = task_of(w.ctl({"submit", "fail again"}));
    CHECK(w.ctl({"wait", id}).code == 1);
    CHECK(w.ctl({"follow", id}).code == 1);
    const auto cancelled = task_of(w.ctl({"submit", "hold it"}));
    const auto waiting = w.start_ctl({"wait", cancelled});
    CHECK(w.ctl({"cancel", cancelled}).code == 0);
    CHECK(waiting->wait(patience()) == 6);
    CHECK(w.ctl({"follow", cancelled}).code == 6);
    CHECK(w.ctl({"wait", cancelled, id}).code == 1); // of several ends the gravest
}

TEST_CASE("exit codes: 2 for what was said wrongly, here and there")
{
    world w{{.scenario = scenario({}, hello_to_all())}};
    for (const words& call :
        {words{}, words{"nonsense"}, words{"submit"}, words{"ls", "--nonsense"}, words{"wait"},
            words{"ls", "--limit", "x"}, words{"submit", "x", "--priority", "high"},
            words{"submit", "x", "--label", "novalue"},
            words{"submit", "x", "--jobs-at-end", "never"},
            words{"submit", "x", "--session", "s_aaaa", "--fresh"}, words{"submit", "@missing.txt"},
            // The daemon's word: 422, 400, 413.
            words{"submit", "x", "--workdir", "/nonexistent"},
            words{"submit", "x", "--priority", "101"}, words{"submit", " "},
            words{"submit", "x", "--env", "AGENTD_X=1"}, words{"submit", "x", "--budget-usd", "1"},
            words{"show", "t_"}, words{"ls", "--state", "purple"}}) {
        const auto end = w.ctl(call);
        CHECK_MESSAGE(
            end.code == 2, (call.empty() ? "nothing" : call.back()) << ": " << end.code << end.err);
        CHECK(end.out.empty());
        CHECK(!end.err.empty());
    }
    write_file(w.workspace() + "/large", std::string((1U << 20) + 1, 'x'));
    CHECK(w.ctl({"submit", "@large"}).code == 2);
    CHECK(w.json(200, "GET", "/v1/tasks").at("items").as_array().empty());
}

TEST_CASE("exit codes: 3 without a daemon, 8 when what answers makes no sense")
{
    const scratch_folder in;
    CHECK(lone_ctl(in, {"--socket", in / "nobody", "ls"}).code == 3);
    write_file(in / "file", "");
    CHECK(lone_ctl(in, {"--socket", in / "file", "ls"}).code == 3);
    {
        const odd_daemon failing{in / "a",
            "HTTP/1.1 500 Oops\r\nContent-Type: application/problem+json\r\nContent-Length: 2\r\n\r\n{}"};
        CHECK(lone_ctl(in, {"--socket", in / "a", "info"}).code == 8);
    }
    const odd_daemon senseless{in / "b", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"};
    CHECK(lone_ctl(in, {"--socket", in / "b", "info"}).code == 8);
}

TEST_CASE("exit codes: 4 for what is not there, 5 for what may not be")
{
    world w{{.scenario =
                 scenario({conversation("hold", {step({say("x")}, held("h"))})}, hello_to_all())}};
    for (const words& call :
        {words{"show", "t_aaaaaaaaaa"}, words{"show", "s_aaaaaaaaaa"}, words{"show", "00000000"},
            words{"wait", "t_aaaaaaaaaa"}, words{"follow", "t_aaaaaaaaaa"},
            words{"cancel", "t_aaaaaaaaaa"}, words{"send", "t_aaaaaaaaaa", "x"},
            words{"kill", "00000000"}, words{"output", "00000000"},
            words{"output", "-f", "00000000"}, words{"transcript", "s_aaaaaaaaaa"},
            words{"rm", "s_aaaaaaaaaa"}, words{"events", "--task", "t_aaaaaaaaaa"},
            words{"submit", "x", "--session", "s_aaaaaaaaaa"}})
        CHECK_MESSAGE(w.ctl(call).code == 4, call.front());
    const auto id = task_of(w.ctl({"submit", "hold it"}));
    const auto session = std::string{w.task(id).at("session_id").as_string()};
    CHECK(w.ctl({"rm", session}).code == 5);
    w.ctl({"cancel", id});
    w.ended(id);
    CHECK(w.ctl({"send", id, "x"}).code == 5);
}

TEST_CASE("exit codes: 5 for a command of the daemon's own")
{
    const std::string ask = std::string{agentctl_path} + " --socket ../s ls; echo code $?";
    world w{{.scenario = scenario({conversation(
                 "ask", {step({use("bash", {{"command", ask}})}), step({say("Asked.")})})})}};
    const auto id = w.submit("ask");
    w.ended(id);
    const auto session = std::string{w.task(id).at("session_id").as_string()};
    const auto messages = w.call("GET", "/v1/sessions/" + session + "/messages").body;
    CHECK_MESSAGE(messages.find("code 5") != std::string::npos, messages);
}

TEST_CASE("exit codes: 7 when the daemon has no room now")
{
    world w{{.scenario =
                 scenario({conversation("hold", {step({say("x")}, held("h"))})}, hello_to_all()),
        .config = "limits.running_tasks = 1\nlimits.queued_tasks = 1\n"}};
    w.submit("hold it");
    w.await_model("held=h");
    w.submit("greet");
    const auto refused = w.ctl({"submit", "one more"});
    CHECK_MESSAGE(refused.code == 7, refused.err);
    w.release("h");
}

TEST_CASE("exit codes: 124 when the wait is over, with and without --any")
{
    world w{{.scenario =
                 scenario({conversation("hold", {step({say("x")}, held("h"))})}, hello_to_all())}};
    const auto slow = task_of(w.ctl({"submit", "hold it"}));
    CHECK(w.ctl({"wait", slow, "--timeout", "0"}).code == 124);
    CHECK(w.ctl({"wait", slow, "--timeout", "1"}).code == 124);
    CHECK(w.ctl({"wait", "--any", slow, "--timeout", "1"}).code == 124);
    const auto quick = task_of(w.ctl({"submit", "greet"}));
    const auto any = w.ctl({"wait", "--any", slow, quick});
    CHECK(any.code == 0);
    CHECK(any.out == quick + " succeeded\n");
    CHECK(w.ctl({"wait", slow, quick, "--timeout", "1"}).code == 124);
    w.release("h");
    CHECK(w.ctl({"wait", slow, quick}).code == 0);
}

TEST_CASE("exit codes: 130 for a SIGINT; what runs goes on")
{
    world w{{.scenario = scenario({conversation("hold", {step({say("x")}, held("h"))})})}};
    const auto id = w.submit("hold it");
    const auto follower = w.start_ctl({"follow", id});
    REQUIRE(follower->read_line(patience())); // it is in its loop
    follower->signal(SIGINT);
    CHECK(follower->wait(patience()) == 130);
    const auto streaming = w.start_ctl({"events", "-f"});
    REQUIRE(streaming->read_line(patience()));
    streaming->signal(SIGINT);
    CHECK(streaming->wait(patience()) == 130);
    w.await_model("held=h");
    CHECK(w.task(id).at("state").as_string() == "running");
    w.release("h");
    CHECK(w.ended(id).at("state").as_string() == "succeeded");
}
