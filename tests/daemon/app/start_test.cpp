// Paths, locks, credentials, sockets, options: what happens before there is a loop.
#include "app/credential.hpp"
#include "app/errc.hpp"
#include "app/folders.hpp"
#include "app/journal.hpp"
#include "app/lock.hpp"
#include "app/notify.hpp"
#include "app/options.hpp"
#include "app/paths.hpp"
#include "base/limits.hpp"
#include "tests/daemon/app/fixtures.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

using namespace agentd;
using testing::fake_environment;
using testing::temp_folder;

namespace {

app::exists only(std::string path)
{
    return [path = std::move(path)](const std::string& asked) { return asked == path; };
}

mode_t mode_of(const std::string& path)
{
    struct stat is{};
    return ::stat(path.c_str(), &is) == 0 ? is.st_mode & 0777 : 0;
}

void write_file(const std::string& path, const std::string& text)
{
    std::ofstream{path} << text;
}

} // namespace

TEST_CASE("paths: the configuration is one file, the flag's, the user's or the system's")
{
    const auto env = fake_environment({{"HOME", "/home/u"}, {"XDG_CONFIG_HOME", "/cfg"}});
    CHECK(app::find_config("/x.toml", env, only("/cfg/agentd/agentd.toml")) == "/x.toml");
    CHECK(app::find_config({}, env, only("/cfg/agentd/agentd.toml")) == "/cfg/agentd/agentd.toml");
    CHECK(app::find_config({}, env, only("/etc/agentd/agentd.toml")) == "/etc/agentd/agentd.toml");
    CHECK(app::find_config({}, env, only("/nothing")) == "");
    const auto plain = fake_environment({{"HOME", "/home/u"}});
    CHECK(app::find_config({}, plain, only("/home/u/.config/agentd/agentd.toml")) ==
        "/home/u/.config/agentd/agentd.toml");
}

TEST_CASE("paths: the state folder's order is flag, systemd, root, XDG, home")
{
    const auto all = fake_environment(
        {{"STATE_DIRECTORY", "/s1:/s2"}, {"XDG_STATE_HOME", "/xdg"}, {"HOME", "/h"}});
    CHECK(app::find_state("/flag", all, 0).value() == "/flag");
    CHECK(app::find_state({}, all, 0).value() == "/s1");
    CHECK(
        app::find_state({}, fake_environment({{"HOME", "/root"}}), 0).value() == "/var/lib/agentd");
    const auto user = fake_environment({{"XDG_STATE_HOME", "/xdg"}, {"HOME", "/h"}});
    CHECK(app::find_state({}, user, 1000).value() == "/xdg/agentd");
    CHECK(app::find_state({}, fake_environment({{"HOME", "/h"}}), 1000).value() ==
        "/h/.local/state/agentd");
    CHECK(!app::find_state({}, fake_environment({}), 1000));
}

TEST_CASE("paths: the socket's order is flag, AGENTD_SOCKET, systemd, root, XDG, home")
{
    const auto all = fake_environment({{"AGENTD_SOCKET", "/env.sock"},
        {"RUNTIME_DIRECTORY", "/run/x"}, {"XDG_RUNTIME_DIR", "/run/user/1"}, {"HOME", "/h"}});
    CHECK(app::named_socket("/flag.sock", all) == "/flag.sock");
    CHECK(app::named_socket({}, all) == "/env.sock");
    CHECK(!app::named_socket({}, fake_environment({})));
    CHECK(app::default_socket(all, 0).value() == "/run/x/agentd.sock");
    CHECK(app::default_socket(fake_environment({}), 0).value() == "/run/agentd/agentd.sock");
    CHECK(app::default_socket(fake_environment({{"XDG_RUNTIME_DIR", "/run/user/1"}}), 1).value() ==
        "/run/user/1/agentd/agentd.sock");
    CHECK(app::default_socket(fake_environment({{"HOME", "/h"}}), 1).value() ==
        "/h/.local/state/agentd/agentd.sock");
}

TEST_CASE("lock: a second daemon on the same state folder is told who has it")
{
    const temp_folder temp;
    const auto folder = temp.path + "/deep/state";
    const auto first = app::open_state(folder);
    REQUIRE(first);
    CHECK(mode_of(folder) == 0700);
    const auto second = app::open_state(folder);
    REQUIRE(!second);
    CHECK(second.error().is(app::errc::in_use));
    CHECK(second.error().text ==
        "the state folder " + folder + " is used by another agentd (process " +
            std::to_string(::getpid()) + ")");
}

TEST_CASE("lock: what a killed daemon's child still holds for a moment is waited for")
{
    const temp_folder temp;
    // The holder has two processes: the one that signed, and one that has inherited the lock.
    std::array<int, 2> go{};
    REQUIRE(::pipe2(go.data(), O_CLOEXEC) == 0);
    const pid_t signer = ::fork();
    if (signer == 0) {
        const auto held = app::open_state(temp.path);
        if (::fork() == 0) {
            char byte = 0;
            [[maybe_unused]] const auto n = ::read(go[0], &byte, 1);
            ::_exit(0);
        }
        ::raise(SIGKILL);
    }
    int status = 0;
    REQUIRE(::waitpid(signer, &status, 0) == signer);
    REQUIRE(WIFSIGNALED(status));
    const int file = ::open((temp.path + "/lock").c_str(), O_RDWR | O_CLOEXEC);
    CHECK(::flock(file, LOCK_EX | LOCK_NB) != 0); // it is held
    ::close(file);
    std::jthread later{[&go] {
        ::poll(nullptr, 0, 50);
        CHECK(::write(go[1], "x", 1) == 1);
    }};
    const auto next = app::open_state(temp.path);
    CHECK_MESSAGE(next, (next ? "" : next.error().text));
    ::close(go[0]);
    later.join();
    ::close(go[1]);
}

TEST_CASE("lock: a living holder is refused at once; its number alone is not believed")
{
    const temp_folder temp;
    const auto first = app::open_state(temp.path);
    REQUIRE(first);
    const auto refused_after = [&temp] {
        const auto began = std::chrono::steady_clock::now();
        const auto second = app::open_state(temp.path);
        REQUIRE_FALSE(second);
        CHECK(second.error().is(app::errc::in_use));
        return std::chrono::steady_clock::now() - began;
    };
    CHECK(refused_after() < limits::lock_patience / 2);
    // Our number, but another start: that process is dead, whoever has its number now.
    write_file(temp.path + "/lock", std::to_string(::getpid()) + " 1\n");
    CHECK(refused_after() >= limits::lock_patience);
}

TEST_CASE("lock: it ends with its holder, and a state folder open to others is made private")
{
    const temp_folder temp;
    ::chmod(temp.path.c_str(), 0755);
    {
        const auto first = app::open_state(temp.path);
        REQUIRE(first);
    }
    CHECK(mode_of(temp.path) == 0700);
    CHECK(app::open_state(temp.path));
}

TEST_CASE("folders: the socket's is made private, in shared mode passable, and left alone if there")
{
    const temp_folder temp;
    ::umask(0077);
    REQUIRE(app::make_socket_folder(temp.path + "/a/agentd.sock", false));
    CHECK(mode_of(temp.path + "/a") == 0700);
    REQUIRE(app::make_socket_folder(temp.path + "/b/agentd.sock", true));
    CHECK(mode_of(temp.path + "/b") == 0755);
    REQUIRE(app::make_socket_folder(temp.path + "/a/agentd.sock", true));
    CHECK(mode_of(temp.path + "/a") == 0700);
    write_file(temp.path + "/file", "x");
    CHECK(!app::make_socket_folder(temp.path + "/file/x/agentd.sock", false));
}

TEST_CASE("credential: systemd's goes before the file, that before the environment")
{
    const temp_folder temp;
    write_file(temp.path + "/anthropic-api-key", "from-systemd\n");
    write_file(temp.path + "/key", "  from-file \n");
    app::credential_sources from;
    from.systemd_file = temp.path + "/anthropic-api-key";
    from.api_key = "from-env";
    from.auth_token = "token";
    const auto file = temp.path + "/key";
    CHECK(app::find_credential(from, file)->value == "from-systemd");
    from.systemd_file = temp.path + "/none";
    CHECK(app::find_credential(from, file)->value == "from-file");
    CHECK(app::find_credential(from, "")->value == "from-env");
    from.api_key.reset();
    const auto bearer = app::find_credential(from, "");
    REQUIRE(bearer);
    CHECK(bearer->is == app::credential::kind::bearer);
    CHECK(bearer->value == "token");
}

TEST_CASE("credential: none, an empty one or one that no header can carry is an error")
{
    const temp_folder temp;
    const auto none = app::find_credential({}, "");
    REQUIRE(!none);
    CHECK(none.error().text.starts_with("no credential: "));
    write_file(temp.path + "/empty", "\n");
    write_file(temp.path + "/two", "SECRETLINE\nX-Evil: SECRETLINE\n");
    for (const auto* name : {"/empty", "/two", "/missing"}) {
        CAPTURE(name);
        const auto read = app::find_credential({}, temp.path + name);
        REQUIRE(!read);
        CHECK(read.error().text.find("SECRETLINE") == std::string::npos);
    }
}

TEST_CASE("environment: the key is gone from the process after scrubbing")
{
    ::setenv("ANTHROPIC_API_KEY", "canary-value-9", 1);
    ::setenv("ANTHROPIC_AUTH_TOKEN", "canary-value-9", 1);
    const char* bytes = ::getenv("ANTHROPIC_API_KEY");
    const auto sources = app::credential_sources_of(app::process_environment());
    app::scrub_environment();
    CHECK(sources.api_key == "canary-value-9");
    CHECK(::getenv("ANTHROPIC_API_KEY") == nullptr);
    CHECK(::getenv("ANTHROPIC_AUTH_TOKEN") == nullptr);
    CHECK(std::string_view{bytes, 6} != "canary");
}

TEST_CASE("options: bad ones are usage errors, help and version go to stdout")
{
    const std::array<const char*, 2> bad{"agentd", "--nonsense"};
    CHECK(app::parse_options(2, bad.data()).error().exit_code == 2);
    const std::array<const char*, 2> extra{"agentd", "word"};
    CHECK(app::parse_options(2, extra.data()).error().exit_code == 2);
    const std::array<const char*, 2> version{"agentd", "--version"};
    const auto shown = app::parse_options(2, version.data());
    REQUIRE(!shown);
    CHECK(shown.error().exit_code == 0);
    CHECK(shown.error().text.starts_with("agentd "));
    const std::array<const char*, 6> good{
        "agentd", "--config", "/c", "--state-dir=/s", "--socket", "/x"};
    const auto read = app::parse_options(6, good.data());
    REQUIRE(read);
    CHECK(read->config == "/c");
    CHECK(read->state_dir == "/s");
    CHECK(read->socket == "/x");
}

TEST_CASE("journal: a record's ids and figures become native fields")
{
    const std::array<log::field, 2> figures{
        log::field{"wall_ms", std::int64_t{12}}, log::field{"gen_ai.usage", 0.5}};
    const log::record what{log::level::warning, {}, "job.finished", "it\nended",
        {.session_id = "s_a", .task_id = "t_b", .job_id = {}}, figures};
    const std::vector<std::string> expected{"MESSAGE=it\nended", "PRIORITY=4",
        "SYSLOG_IDENTIFIER=agentd", "EVENT=job.finished", "SESSION_ID=s_a", "TASK_ID=t_b",
        "WALL_MS=12", "GEN_AI_USAGE=0.500"};
    CHECK(app::journal_fields(what) == expected);
}

TEST_CASE("notify: without systemd there is no socket and no watchdog")
{
    ::unsetenv("LISTEN_FDS");
    ::unsetenv("WATCHDOG_USEC");
    const auto passed = app::passed_socket();
    REQUIRE(passed);
    CHECK(!*passed);
    CHECK(!app::watchdog_interval());
    ::unsetenv("JOURNAL_STREAM");
    CHECK(!app::stderr_is_journal());
}
