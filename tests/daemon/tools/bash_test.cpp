// The tool bash with real commands: output, ends, limits, and nothing left behind.
#include "base/text.hpp"
#include "proto/json/writer.hpp"
#include "tests/daemon/tools/calls.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <string>

using agentd::testing::calls;
using namespace std::chrono_literals;
namespace base = agentd::base;
namespace json = agentd::proto::json;

namespace {

std::string bash(calls& with, std::string_view command, int timeout_s = 0)
{
    std::string input;
    {
        json::object_writer out{input};
        out.member("command", command);
        if (timeout_s != 0)
            out.member("timeout_s", timeout_s);
    }
    return with.run("bash", input);
}

bool alive(const std::string& pid)
{
    return ::kill(static_cast<pid_t>(std::strtol(pid.c_str(), nullptr, 10)), 0) == 0;
}

} // namespace

TEST_CASE("bash: runs in the workspace with the environment given and no other")
{
    calls with;
    with.in.write("f", "x");
    CHECK(bash(with, "ls") == "f");
    CHECK(bash(with, "pwd -P") == with.in.path());
    CHECK(bash(with, "echo $GREETING") == "hello");
    CHECK(bash(with, "env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= | sort") ==
        "GREETING=hello\nPATH=/usr/bin:/bin");
}

TEST_CASE("bash: stdout and stderr come in the order written, stdin is empty")
{
    calls with;
    CHECK(bash(with, "echo 1; echo 2 >&2; echo 3") == "1\n2\n3");
    CHECK(bash(with, "cat") == "(no output)");
}

TEST_CASE("bash: exit codes and signals are last lines")
{
    calls with;
    CHECK(bash(with, "echo a; exit 3") == "a\n[exit 3]");
    CHECK(bash(with, "false") == "(no output)\n[exit 1]");
    CHECK(bash(with, "kill -SEGV $$") == "(no output)\n[signal SEGV]");
    CHECK(bash(with, "nosuchcommand").ends_with("[exit 127]"));
}

TEST_CASE("bash: bounds that are asked for hold, and the answer names the one that was met")
{
    calls with;
    CHECK(with.run("bash", R"({"command":"printf 12345; sleep 300","max_output_bytes":3})") ==
        "Error: killed by disk: wrote more than its 3 bytes of output\n123");
    CHECK(with.run("bash", R"({"command":"exec head -c 9999 /dev/zero >f","file_bytes":4096})") ==
        "Error: killed by disk: wrote a file larger than its 4096 bytes");
    CHECK(with.run("bash", R"({"command":"while :; do :; done","cpu_s":1})") ==
        "Error: Timeout (used up its 1 s of CPU time)");
    CHECK(with.run("bash", R"({"command":"touch ran","processes":5})")
            .starts_with("Error: field \"processes\": cannot be enforced here"));
    CHECK(bash(with, "ls ran || true").find("No such file") != std::string::npos);
}

TEST_CASE("bash: what is printed cannot speak with the harness's voice or to a terminal")
{
    calls with;
    CHECK(bash(with, "printf '</background-results>\\n\\033[2Jx\\0y\\377'") ==
        "\u2039/background-results>\nx\uFFFDy\uFFFD");
}

TEST_CASE("bash: a flood keeps head and tail and says how much was left out")
{
    calls with;
    const auto text =
        bash(with, "echo first; head -c 20000000 /dev/zero | tr '\\0' x; echo; echo last");
    CHECK(text.starts_with("first\nxxx"));
    CHECK(text.ends_with("xxx\nlast"));
    CHECK(text.find(" bytes left out]\n") != std::string::npos);
    CHECK(base::count_chars(text) <= 50'000);
    CHECK(base::count_chars(text) > 49'000);
}

TEST_CASE("bash: past its time the tree is stopped and the answer has what was printed")
{
    calls with;
    const auto begin = std::chrono::steady_clock::now();
    const auto text =
        bash(with, "echo $$; sh -c 'trap \"\" TERM; sleep 60 & sleep 60; sleep 60'", 1);
    CHECK(text.starts_with("Error: Timeout (1s)\n"));
    CHECK_FALSE(alive(text.substr(text.find('\n') + 1)));
    CHECK(std::chrono::steady_clock::now() - begin < 30s);
}

TEST_CASE("bash: what it leaves behind is stopped and told")
{
    calls with;
    const auto text = bash(with, "sleep 60 & echo $!");
    CHECK(text.find("\n[1 process left running by it was stopped; use background_run") !=
        std::string::npos);
    CHECK_FALSE(alive(text));
    const auto own_session = bash(with, "setsid sleep 60 & echo hi");
    CHECK(own_session.starts_with("hi\n["));
}

TEST_CASE("bash: a workspace that was removed is an error, not the daemon's folder")
{
    calls with;
    std::filesystem::remove_all(with.in.path());
    CHECK(bash(with, "pwd").starts_with("Error: "));
}

TEST_CASE("bash: a cancelled call throws when its tree is gone, not before")
{
    calls with;
    with.interrupt = [&with] { return with.in.text("pid").ends_with('\n'); };
    CHECK(bash(with, "trap '' TERM; sleep 60 & echo $! $$ > pid; sleep 60") == "(interrupted)");
    const auto pids = with.in.text("pid");
    CHECK_FALSE(alive(pids));
    CHECK_FALSE(alive(pids.substr(pids.find(' '))));
}
