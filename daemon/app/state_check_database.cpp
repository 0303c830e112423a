// state_check: the database, its log and its backups.
#include "app/state_check.hpp"
#include "base/check_limits.hpp"
#include "store/inspection.hpp"
#include "store/store.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace agentd::app {
namespace {

namespace fs = std::filesystem;
using proto::api::verdict;

constexpr std::string_view restore =
    "stop the daemon, copy the state folder away, then put a backup (see agentd(8)) in the "
    "place of agentd.db and remove agentd.db-wal and agentd.db-shm";

std::uint64_t size_of(const std::string& path)
{
    std::error_code failure;
    const auto size = fs::file_size(path, failure);
    return failure ? 0 : size;
}

void check_schema(const std::string& folder, const store::inspection& is, findings& to)
{
    const auto versions = fmt::format("version {}, this agentd's is {}", is.version, is.known);
    if (is.foreign)
        to.push_back({"database.schema", verdict::error, "the database is another program's",
            "move agentd.db away, or name another state folder: --state-dir"});
    else if (is.version > is.known)
        to.push_back({"database.schema", verdict::error,
            "the database is from a newer agentd: " + versions,
            fmt::format("install that agentd again, or put agentd.db.v{}.backup in its place, if "
                        "there is one: what came later is not in it",
                is.known)});
    else if (is.version == 0)
        to.push_back({"database.schema", verdict::note, "an empty database", ""});
    else if (is.version < is.known)
        to.push_back({"database.schema", verdict::note,
            "the database is from an older agentd: " + versions,
            fmt::format("the next start brings it to the new version after a backup, which takes "
                        "{} of disk",
                size_text(size_of(folder + "/agentd.db")))});
    else
        to.push_back({"database.schema", verdict::ok, versions, ""});
}

void check_pages(const store::inspection& is, findings& to)
{
    if (!is.complaints.empty()) {
        std::string text{"the database is damaged:"};
        for (const auto& complaint : is.complaints)
            text += "\n" + complaint;
        to.push_back({"database.integrity", verdict::error, std::move(text), std::string{restore}});
    } else if (!is.checked) {
        to.push_back({"database.integrity", verdict::not_checked,
            fmt::format("nothing is wrong with what could be checked in {} s: not all pages",
                std::chrono::duration_cast<std::chrono::seconds>(limits::check_pages_for).count()),
            "`sqlite3 agentd.db 'PRAGMA quick_check'` without a daemon checks all"});
    } else {
        to.push_back({"database.integrity", verdict::ok, "all pages are in order", ""});
    }
}

void check_log(const store::log_file& log, const lock_state& lock, findings& to)
{
    if (log.no_log)
        to.push_back({"database.log", verdict::error,
            "agentd.db-wal does not begin like a log: SQLite will not read it",
            "what it held is lost if the file was overwritten; copy the state folder away before "
            "the next start, which goes on without it"});
    else if (log.pages < log.known)
        to.push_back({"database.log", verdict::error,
            fmt::format("agentd.db-wal has {} pages, and had {}: it was cut", log.pages, log.known),
            "nothing, if the machine has lost power: it lost what nobody was promised; else copy "
            "the state folder away before the next start, which goes on without those steps"});
    else if (log.cut_off && !lock.held)
        to.push_back({"database.log", verdict::note,
            fmt::format("{} pages, and a part of one that was being written", log.pages),
            "nothing: the part belongs to a step that was never answered, unless the file was cut "
            "by somebody else"});
    else if (log.there)
        to.push_back(
            {"database.log", verdict::ok, fmt::format("{} in the log", size_text(log.bytes)), ""});
}

// What readers of events were told, and the database does not have (any more).
void check_history(const store::inspection& is, findings& to)
{
    if (is.given > is.newest)
        to.push_back({"database.history", verdict::error,
            fmt::format("events {} to {} were told to somebody and are not in the database: it is "
                        "older than it was",
                is.newest + 1, is.given),
            "if its log, or a newer copy, is somewhere, put it back before the next start, which "
            "goes on from what there is; after a power loss there is nothing to be done"});
    else
        to.push_back({"database.history", verdict::ok, fmt::format("{} events", is.newest), ""});
}

// Somebody has removed it: SQLite itself does so at an orderly end alone.
void check_vanished_log(const store::inspection& is, bool ended_badly, findings& to)
{
    if (is.in_use || ended_badly)
        to.push_back({"database.log", verdict::error,
            "agentd.db-wal is gone, and the last daemon did not stop in order: the newest steps "
            "were in it",
            "put the file back if it is somewhere, before the next start; that goes on from what "
            "is in agentd.db"});
    else
        to.push_back({"database.log", verdict::ok, "no log: the last daemon stopped in order", ""});
}

void check_backups(const std::string& folder, findings& to)
{
    std::error_code failure;
    for (fs::directory_iterator each{folder, failure}, end; !failure && each != end;
        each.increment(failure)) {
        const auto name = each->path().filename().string();
        if (!name.starts_with("agentd.db.v"))
            continue;
        const auto size = size_text(size_of(each->path().string()));
        if (name.ends_with(".backup"))
            to.push_back({"database.backup", verdict::note, fmt::format("{}, {}", name, size),
                "remove it once nobody wants the older agentd back"});
        else if (name.ends_with(".backup.new"))
            to.push_back({"database.backup", verdict::warning,
                fmt::format("{}, {}: a backup that was not finished", name, size),
                "remove it: the next migration makes a new one"});
    }
    if (failure)
        to.push_back({"database.backup", verdict::not_checked,
            base::system_error("look into " + folder, failure.value()).text, ""});
}

} // namespace

void check_database(
    const std::string& folder, const lock_state& lock, bool ended_badly, findings& to)
{
    check_backups(folder, to);
    const auto file = folder + "/agentd.db";
    if (::access(file.c_str(), F_OK) != 0 && errno == ENOENT) {
        to.push_back({"database", verdict::note, "there is no database yet", ""});
        return;
    }
    const auto log = store::look_at_log(folder);
    if (!log) {
        to.push_back({"database.log", verdict::not_checked, log.error().text, ""});
        return;
    }
    if (lock.held && (!log->there || !log->index_there)) {
        to.push_back({"database.log", verdict::error,
            fmt::format("{} is gone, and a daemon works with it",
                log->there ? "agentd.db-shm" : "agentd.db-wal"),
            "copy agentd.db away, then stop the daemon in order: it still has the file open"});
        to.push_back({"database.integrity", verdict::not_checked,
            "the database cannot be read without its log", ""});
        return;
    }
    const auto with = lock.held ? store::company::daemon : store::company::none;
    const auto found = store::inspect(folder, with, limits::check_pages_for);
    if (!found) {
        const bool damaged = found.error().is(store::errc::corrupt);
        const bool failing = found.error().is(store::errc::io);
        to.push_back({"database", damaged || failing ? verdict::error : verdict::not_checked,
            found.error().text, damaged ? std::string{restore} : std::string{}});
        return;
    }
    to.push_back(
        {"database", verdict::ok, fmt::format("{}, {}", file, size_text(size_of(file))), ""});
    check_schema(folder, *found, to);
    check_pages(*found, to);
    if (!found->foreign)
        check_history(*found, to);
    if (found->without_log && !log->there)
        check_vanished_log(*found, ended_badly, to);
    else
        check_log(*log, lock, to);
}

} // namespace agentd::app
