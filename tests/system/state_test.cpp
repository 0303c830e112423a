// What the real daemon makes of a state that is not as the last one left it: the table of
// daemon/store/README.md, row by row.
#include "tests/support/harness/paths.hpp"
#include "tests/system/evidence.hpp"
#include "tests/system/mounted.hpp"
#include "tests/system/state_by_hand.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>

using namespace agentd::testing;

namespace {

constexpr int exit_newer = 3;
constexpr int exit_damaged = 4;

std::string hello()
{
    js::object more;
    more["then"] = "repeat_last";
    return scenario({conversation("hello", {step({say("Hello.")})}, std::move(more))});
}

std::string database(const world& w, const char* suffix = "")
{
    return w.state_folder() + "/agentd.db" + suffix;
}

// A state with ended tasks; the daemon has been ended by `signal`.
std::string one_task(world& w, int signal)
{
    auto task = w.submit("hello");
    CHECK(state_of(w.ended(task)) == "succeeded");
    static_cast<void>(w.stop_daemon(signal));
    return task;
}

// What a daemon that does not start says, and with which status it ends.
struct refused_start {
    int code = -1;
    std::string told;
};

refused_start refused(world& w)
{
    const auto before = w.log().size();
    CHECK(!w.try_start_daemon());
    const auto code = w.daemon().wait(patience());
    return {code.value_or(-1), w.log().substr(before)};
}

bool tells(const refused_start& start, std::string_view part)
{
    return start.told.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("state: a damaged database stops the start with a status of its own; a copy helps")
{
    world w{{.scenario = hello()}};
    const auto task = one_task(w, SIGTERM);
    std::filesystem::copy_file(database(w), w.folder() + "/copy.db");
    const auto size = std::filesystem::file_size(database(w));
    std::string damage;
    SUBCASE("cut short") {
        std::filesystem::resize_file(database(w), size / 2);
    }
    SUBCASE("overwritten") {
        write_file(database(w), std::string(size, 'x'));
    }
    const auto before = read_file(database(w));
    const auto start = refused(w);
    CHECK(start.code == exit_damaged);
    CHECK_MESSAGE(tells(start, "agentd.db is damaged ("), start.told);
    CHECK(read_file(database(w)) == before);
    std::filesystem::copy_file(
        w.folder() + "/copy.db", database(w), std::filesystem::copy_options::overwrite_existing);
    w.start_daemon();
    CHECK(state_of(w.task(task)) == "succeeded");
    CHECK(state_of(w.ended(w.submit("hello"))) == "succeeded");
    check_gapless(w);
}

TEST_CASE("state: a newer version is refused with a status of its own, and left alone")
{
    world w{{.scenario = hello()}};
    one_task(w, SIGTERM);
    change_state(w, "PRAGMA user_version = 999");
    const auto before = read_file(database(w));
    const auto start = refused(w);
    CHECK(start.code == exit_newer);
    CHECK_MESSAGE(tells(start, "its version 999 is newer than this agentd's"), start.told);
    CHECK(read_file(database(w)) == before);
}

TEST_CASE("state: when the write-ahead log vanishes, readers see no number twice")
{
    world w{{.scenario = hello()}};
    one_task(w, SIGTERM);
    w.start_daemon();
    one_task(w, SIGKILL);
    const auto lines = read_file(database(w, "-seq"));
    REQUIRE(std::filesystem::remove(database(w, "-wal")));
    w.start_daemon();
    CHECK(w.log().find("\"event\":\"store.history_lost\"") != std::string::npos);
    const auto told = w.events("&types=daemon.recovered");
    REQUIRE(told.size() == 1);
    CHECK(told[0].at("to").as_int64() == told[0].at("seq").as_int64() - 1);
    CHECK(lines.find(std::to_string(told[0].at("to").as_int64()) + "\n") != std::string::npos);
    CHECK(state_of(w.ended(w.submit("hello"))) == "succeeded");
}

TEST_CASE("state: a socket where nothing can be made stops the start, and says so")
{
    world w{{.scenario = hello(), .start = false}};
    const auto folder = w.folder() + "/ro";
    std::filesystem::create_directory(folder);
    const mounted disk{folder, "tmpfs", "size=1m"};
    if (!disk.is_there())
        return;
    write_file(folder + "/s.lock", "");
    disk.make_read_only(true);
    write_file(w.folder() + "/empty.toml", "");
    program second;
    second.argv = {agentd_path, "--config", w.folder() + "/empty.toml", "--socket", folder + "/s",
        "--state-dir", w.state_folder()};
    second.env = {{"ANTHROPIC_API_KEY", "x"}};
    second.stderr_file = w.folder() + "/second.log";
    process daemon{second};
    CHECK(daemon.wait(patience()) == 1);
    const auto told = read_file(second.stderr_file);
    CHECK_MESSAGE(told.find("cannot listen at " + folder) != std::string::npos, told);
    CHECK_MESSAGE(told.find("Read-only file system") != std::string::npos, told);
}

TEST_CASE("state: an older version is copied before it is changed; without room it stays as it is")
{
    world w{{.scenario = hello(), .start = false}};
    std::filesystem::create_directory(w.state_folder());
    const mounted disk{w.state_folder(), "tmpfs", "size=20m"};
    w.start_daemon();
    const auto task = one_task(w, SIGTERM);
    to_first_version(w);
    const auto old = read_file(database(w));
    const auto filler = w.state_folder() + "/filler";
    if (disk.is_there()) {
        const auto room = std::filesystem::space(w.state_folder()).available;
        write_file(filler, std::string(room - 16384, 'x'));
        const auto start = refused(w);
        CHECK(start.code == 1);
        CHECK_MESSAGE(tells(start, "full"), start.told);
        CHECK(read_file(database(w)) == old);
        CHECK(!std::filesystem::exists(database(w, ".v1.backup")));
        CHECK(!std::filesystem::exists(database(w, ".v1.backup.new")));
        std::filesystem::remove(filler);
    }
    w.start_daemon();
    CHECK(state_of(w.task(task)) == "succeeded");
    CHECK(std::filesystem::exists(database(w, ".v1.backup")));
    CHECK(!std::filesystem::exists(database(w, ".v1.backup.new")));
    CHECK(w.stop_daemon(SIGTERM) == 0);
}
