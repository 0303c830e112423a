// agentctl doctor and agentd --check-state: what is broken is named, with what to do about it,
// and looking changes nothing.
#include "tests/support/harness/paths.hpp"
#include "tests/system/surface.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>

using namespace agentd::testing;
namespace fs = std::filesystem;

namespace {

std::vector<js::object> lines_of(const std::string& text)
{
    std::vector<js::object> lines;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size());
        lines.push_back(js::parse(text.substr(at, end - at)).as_object());
        at = end + 1;
    }
    return lines;
}

// The finding of that check that is no "ok", else the one that is; empty: there is none.
js::object finding_in(const std::vector<js::object>& all, std::string_view check)
{
    js::object found;
    for (const auto& one : all)
        if (one.at("check").as_string() == check &&
            (found.empty() || found.at("verdict").as_string() == "ok"))
            found = one;
    return found;
}

std::string told(const std::vector<js::object>& all, std::string_view check)
{
    const auto found = finding_in(all, check);
    return found.empty() ? std::string{} : std::string{found.at("verdict").as_string()};
}

// Everything in a folder: names, sizes, times, contents.
std::map<std::string, std::string> snapshot(const std::string& folder)
{
    std::map<std::string, std::string> all;
    for (const auto& each : fs::recursive_directory_iterator{folder}) {
        struct stat is{};
        REQUIRE(::lstat(each.path().c_str(), &is) == 0);
        auto text = std::to_string(is.st_ino) + " " + std::to_string(is.st_mtim.tv_sec) + "." +
            std::to_string(is.st_mtim.tv_nsec) + " " + std::to_string(is.st_mode);
        if (each.is_regular_file())
            text += read_file(each.path());
        all[each.path()] = std::move(text);
    }
    return all;
}

struct checked {
    int code = -1;
    std::string out;
    std::vector<js::object> findings;
};
checked check_state(const scratch_folder& in, const std::string& state)
{
    auto end = run_program({agentd_path, "--check-state", "--json", "--state-dir", state}, in);
    CHECK(end.err == "");
    return {end.code, end.out, lines_of(end.out)};
}

void run_sql(const std::string& file, const char* sql)
{
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
    CHECK_MESSAGE(
        sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK, sqlite3_errmsg(db));
    sqlite3_close(db);
}

// Copies the log of a killed daemon into the database and leaves it: what is found without it is
// the same then, wherever the daemon was with that.
void copy_log_in(const std::string& file)
{
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr) == SQLITE_OK);
    CHECK(
        sqlite3_exec(db, "PRAGMA wal_checkpoint(PASSIVE)", nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
    REQUIRE(fs::file_size(file + "-wal") != 0);
}

void overwrite(const std::string& file, std::size_t from, std::size_t bytes)
{
    auto text = read_file(file);
    REQUIRE(text.size() > from + bytes);
    for (std::size_t i = from; i < from + bytes; ++i)
        text[i] = static_cast<char>(i * 37);
    write_file(file, text);
}

// One thing done to a state folder, and what has to be found then.
struct damage {
    const char* what;
    std::function<void(const std::string& folder)> done;
    const char* check;
    const char* verdict;
    int code;
};

std::vector<damage> of_ended_daemons()
{
    return {
        {"nothing", [](const auto&) {}, "database.integrity", "ok", 0},
        {"a newer version",
            [](const auto& at) { run_sql(at + "/agentd.db", "PRAGMA user_version = 99"); },
            "database.schema", "error", 1},
        {"an older version",
            [](const auto& at) { run_sql(at + "/agentd.db", "PRAGMA user_version = 1"); },
            "database.schema", "note", 0},
        {"another program's",
            [](const auto& at) { run_sql(at + "/agentd.db", "PRAGMA application_id = 7"); },
            "database.schema", "error", 1},
        {"an overwritten page",
            [](const auto& at) { overwrite(at + "/agentd.db", 4096 * 3, 4096); },
            "database.integrity", "error", 1},
        {"an overwritten head", [](const auto& at) { overwrite(at + "/agentd.db", 0, 100); },
            "database", "error", 1},
        {"no database", [](const auto& at) { fs::remove(at + "/agentd.db"); }, "database", "note",
            0},
        {"a mark of use and no log",
            [](const auto& at) { run_sql(at + "/agentd.db", "UPDATE meta SET boot_id = 'b'"); },
            "database.log", "error", 1},
        {"an older database than was told of",
            [](const auto& at) {
                write_file(at + "/agentd.db-seq", "00000000000000000999 00000000000000000999\n");
            },
            "database.history", "error", 1},
        {"others' rights", [](const auto& at) { ::chmod((at + "/jobs").c_str(), 0755); }, "rights",
            "warning", 0},
        {"no rights of the owner",
            [](const auto& at) { ::chmod((at + "/agentd.db").c_str(), 0400); }, "rights", "error",
            1},
        {"another's file",
            [](const auto& at) {
                fs::remove(at + "/lock");
                fs::create_symlink("/etc/passwd", at + "/lock");
            },
            "rights", "error", 1},
        {"an unfinished backup",
            [](const auto& at) { write_file(at + "/agentd.db.v1.backup.new", "x"); },
            "database.backup", "warning", 0},
        {"a backup", [](const auto& at) { write_file(at + "/agentd.db.v1.backup", "x"); },
            "database.backup", "note", 0},
    };
}

std::vector<damage> of_killed_daemons()
{
    return {
        {"nothing", [](const auto&) {}, "last_run", "note", 0},
        {"a log", [](const auto&) {}, "database.log", "ok", 0},
        {"no log", [](const auto& at) { fs::remove(at + "/agentd.db-wal"); }, "database.log",
            "error", 1},
        {"a log without its pages",
            [](const auto& at) { fs::resize_file(at + "/agentd.db-wal", 99); }, "database.log",
            "error", 1},
        {"a part of a page more",
            [](const auto& at) {
                fs::resize_file(at + "/agentd.db-wal", fs::file_size(at + "/agentd.db-wal") + 99);
            },
            "database.log", "note", 0},
        {"no head", [](const auto& at) { overwrite(at + "/agentd.db-wal", 0, 32); }, "database.log",
            "error", 1},
    };
}

// Does each to a copy, and looks.
void check_all(world& w, const std::vector<damage>& rows)
{
    const scratch_folder scratch;
    for (const auto& row : rows) {
        CAPTURE(row.what);
        const auto copy = scratch / "state";
        fs::copy(w.state_folder(), copy, fs::copy_options::recursive);
        ::chmod(copy.c_str(), 0700);
        row.done(copy);
        const auto before = snapshot(copy);
        const auto found = check_state(scratch, copy);
        CAPTURE(found.out);
        CHECK(told(found.findings, row.check) == row.verdict);
        CHECK(found.code == row.code);
        CHECK(snapshot(copy) == before);
        fs::remove_all(copy);
    }
}

} // namespace

TEST_CASE("doctor: a daemon that is well gets an ok for each check, and exit code 0")
{
    world w{{.scenario = scenario({}, hello_to_all())}};
    const auto healthy = w.ctl({"--json", "doctor"});
    CHECK_MESSAGE(healthy.code == 0, healthy.out << healthy.err);
    const auto all = lines_of(healthy.out);
    for (const auto* check :
        {"socket", "daemon", "version", "configuration", "folder", "rights", "lock", "last_run",
            "database", "database.schema", "database.integrity", "database.log", "spool"})
        CHECK_MESSAGE(told(all, check) == "ok", check);
    CHECK(told(all, "supervision") != "");

    // The log is taken away under the daemon: the database is not read without it.
    const auto log = w.state_folder() + "/agentd.db-wal";
    fs::rename(log, log + ".away");
    const auto broken = w.ctl({"--json", "doctor"});
    CHECK(broken.code == 8);
    CHECK(told(lines_of(broken.out), "database.log") == "error");
    CHECK(told(lines_of(broken.out), "database.integrity") == "not_checked");
    CHECK(!fs::exists(log));
    fs::rename(log + ".away", log);

    w.kill_daemon();
    const auto dead = w.ctl({"doctor", "--state-dir", w.state_folder()});
    CHECK(dead.code == 3);
    CHECK(dead.out.find("daemon: error: cannot reach") != std::string::npos);
    CHECK(dead.out.find("last_run: note: the last daemon did not stop in order") !=
        std::string::npos);
    copy_log_in(w.state_folder() + "/agentd.db");
    check_all(w, of_killed_daemons());
}

TEST_CASE("check-state: each trouble of a state folder is named, and nothing is changed")
{
    world w{{.scenario = scenario({}, hello_to_all())}};
    CHECK(w.stop_daemon(SIGTERM) == 0);
    check_all(w, of_ended_daemons());
}

TEST_CASE("check-state: a folder that is not there, and a broken configuration, are findings")
{
    const scratch_folder scratch;
    const auto none = check_state(scratch, scratch / "nowhere");
    CHECK(none.code == 0);
    CHECK(told(none.findings, "folder") == "note");
    CHECK(!fs::exists(scratch / "nowhere"));

    write_file(scratch / "agentd.toml", "threads = 0\n");
    const auto end = run_program({agentd_path, "--check-state", "--json", "--config",
                                     scratch / "agentd.toml", "--state-dir", scratch / "nowhere"},
        scratch);
    CHECK(end.code == 1);
    CHECK(told(lines_of(end.out), "configuration") == "error");
    const auto doctor =
        run_program({agentctl_path, "--socket", scratch / "s", "doctor", "--config",
                        scratch / "agentd.toml", "--state-dir", scratch / "nowhere"},
            scratch);
    CHECK(doctor.code == 3);
    CHECK(doctor.out.find("socket: error: there is no socket") != std::string::npos);
    CHECK(doctor.out.find("configuration: error: ") != std::string::npos);
    CHECK(doctor.out.find("key \"threads\"") != std::string::npos);
}

TEST_CASE("doctor: a program that never stops talking is ended, and said not to have told")
{
    const scratch_folder scratch;
    const auto talker = scratch / "agentd";
    write_file(talker, "#!/bin/sh\nexec yes\n");
    REQUIRE(::chmod(talker.c_str(), 0700) == 0);
    const auto doctor = run_program(
        {agentctl_path, "--socket", scratch / "s", "doctor", "--agentd", talker}, scratch);
    CHECK(doctor.code == 3);
    CHECK(doctor.out.find(" says more than ") != std::string::npos);
}
