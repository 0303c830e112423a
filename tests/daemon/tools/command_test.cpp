// The answer that tells of a command's end, and the environment commands get: tables.
#include "base/text.hpp"
#include "tools/command_answer.hpp"
#include "tools/command_environment.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

using namespace agentd::tools;
using namespace std::chrono_literals;
namespace base = agentd::base;
namespace jobs = agentd::jobs;

namespace {

jobs::outcome printed(std::string text, int code = 0)
{
    jobs::outcome end;
    end.output.head = std::move(text);
    end.exit_code = code;
    return end;
}

std::string text_of(const jobs::outcome& end)
{
    return command_answer(end, 120s).text;
}

std::string value(const std::vector<std::string>& env, const std::string& name)
{
    for (const auto& entry : env) {
        if (entry.starts_with(name + "="))
            return entry.substr(name.size() + 1);
    }
    return "(none)";
}

const user_record somebody{"joe", "/home/joe", "/bin/bash"};

} // namespace

TEST_CASE("command_answer: a command that exits with 0 is what it printed, stripped")
{
    CHECK(text_of(printed("\n a\nb \n")) == "a\nb");
    CHECK(text_of(printed("")) == "(no output)");
    CHECK(text_of(printed(" \n")) == "(no output)");
    CHECK_FALSE(command_answer(printed(""), 120s).is_error);
}

TEST_CASE("command_answer: an exit code and a signal are a last line and no error")
{
    CHECK(text_of(printed("a\n", 2)) == "a\n[exit 2]");
    CHECK(text_of(printed("", 1)) == "(no output)\n[exit 1]");
    auto end = printed("a");
    end.exit_code.reset();
    end.signal = SIGSEGV;
    CHECK(text_of(end) == "a\n[signal SEGV]");
    end.signal = 40;
    CHECK(text_of(end) == "a\n[signal 40]");
    CHECK_FALSE(command_answer(end, 120s).is_error);
    CHECK_FALSE(command_answer(printed("Error: by the command", 1), 120s).is_error);
}

TEST_CASE("command_answer: leftovers are told and background_run is named")
{
    auto end = printed("hi");
    end.leftovers = 1;
    CHECK(text_of(end) ==
        "hi\n[1 process left running by it was stopped; use background_run for "
        "what should go on]");
    end.leftovers = 3;
    end.exit_code = 4;
    CHECK(text_of(end).find("[3 processes left running by it were stopped;") != std::string::npos);
    CHECK(text_of(end).ends_with("\n[exit 4]"));
}

TEST_CASE("command_answer: a timeout is an error with what was printed so far")
{
    auto end = printed("half\n");
    end.how = jobs::ended::timeout;
    CHECK(text_of(end) == "Error: Timeout (120s)\nhalf");
    CHECK(command_answer(end, 5s).text == "Error: Timeout (5s)\nhalf");
    CHECK(command_answer(end, 120s).is_error);
    end.reason = "used up its 1 s of CPU time";
    CHECK(text_of(end) == "Error: Timeout (used up its 1 s of CPU time)\nhalf");
    end.reason.clear();
    end.output.head.clear();
    CHECK(text_of(end) == "Error: Timeout (120s)");
}

TEST_CASE("command_answer: what could not be started or was stopped from elsewhere is an error")
{
    jobs::outcome end;
    end.how = jobs::ended::error;
    end.reason = "cannot run /bin/sh: no such file";
    CHECK(text_of(end) == "Error: cannot run /bin/sh: no such file");
    end = {};
    end.how = jobs::ended::killed;
    end.by = jobs::stopped_by::shutdown;
    end.output.head = "x";
    CHECK(text_of(end) == "Error: killed by shutdown\nx");
    CHECK(command_answer(end, 120s).is_error);
    end.by = jobs::stopped_by::disk;
    end.reason = "wrote more than its 1 bytes of output";
    CHECK(text_of(end) == "Error: killed by disk: wrote more than its 1 bytes of output\nx");
}

TEST_CASE("command_answer: all of it stays within the cap")
{
    auto end = printed(std::string(300'000, 'x'), 77);
    end.leftovers = 1'000'000;
    end.unstoppable = 1'000'000;
    end.oom = true;
    const auto text = text_of(end);
    CHECK(base::count_chars(text) <= 50'000);
    CHECK(text.find("bytes left out]") != std::string::npos);
    CHECK(text.ends_with("[exit 77]"));
    end.how = jobs::ended::timeout;
    CHECK(base::count_chars(text_of(end)) <= 50'000);
}

TEST_CASE("command_environment: the allow-list passes, everything else stays here")
{
    const std::vector<std::string> own{"PATH=/x", "HOME=/h", "LANG=de_DE.UTF-8", "LC_ALL=C",
        "TZ=UTC", "TMPDIR=/t", "USER=u", "TERM=xterm", "SECRET=s", "ANTHROPIC_API_KEY=k",
        "AGENTD_SOCKET=/s", "CREDENTIALS_DIRECTORY=/c", "NOTIFY_SOCKET=/n", "LISTEN_FDS=1",
        "EDITOR=vi", "BROKEN"};
    const command_environment made{own, somebody, {}};
    const auto env = made.of(base::session_id{"s_1"}, base::task_id{"t_1"}, {});
    const std::vector<std::string> wanted{"AGENTD_SESSION_ID=s_1", "AGENTD_TASK_ID=t_1", "HOME=/h",
        "LANG=de_DE.UTF-8", "LC_ALL=C", "LOGNAME=joe", "PAGER=cat", "PATH=/x", "SHELL=/bin/bash",
        "TERM=dumb", "TMPDIR=/t", "TZ=UTC", "USER=u"};
    CHECK(env == wanted);
}

TEST_CASE("command_environment: what is absent comes from the user's record, PATH from a default")
{
    const command_environment made{{}, somebody, {}};
    const auto env = made.of(base::session_id{"s"}, base::task_id{"t"}, {});
    CHECK(value(env, "HOME") == "/home/joe");
    CHECK(value(env, "USER") == "joe");
    CHECK(value(env, "PATH").find("/usr/bin") != std::string::npos);
    CHECK(value(env, "TMPDIR") == "(none)");
    CHECK_FALSE(current_user().name.empty());
}

TEST_CASE("command_environment: pass_env adds names, the task's env adds and overrides")
{
    const std::vector<std::string> own{
        "CC=clang", "CARGO_HOME=/c", "ANTHROPIC_API_KEY=k", "AGENTD_SOCKET=/s", "NOTIFY_SOCKET=/n"};
    const std::vector<std::string> pass{"CC", "CARGO_*", "ANTHROPIC_API_KEY", "AGENTD_*", "*"};
    const command_environment made{own, somebody, pass};
    const auto env = made.of(base::session_id{"s_1"}, base::task_id{"t"},
        {{"CC", "gcc"}, {"PATH", "/mine"}, {"X", "a=b"}, {"AGENTD_SESSION_ID", "s_2"},
            {"ANTHROPIC_API_KEY", "k2"}});
    CHECK(value(env, "CC") == "gcc");
    CHECK(value(env, "CARGO_HOME") == "/c");
    CHECK(value(env, "PATH") == "/mine");
    CHECK(value(env, "X") == "a=b");
    CHECK(value(env, "AGENTD_SESSION_ID") == "s_1");
    for (const auto* name : {"ANTHROPIC_API_KEY", "AGENTD_SOCKET", "NOTIFY_SOCKET"})
        CHECK(value(env, name) == "(none)");
}
