#include "store/schema.hpp"

#include "base/at_exit.hpp"
#include "base/log.hpp"
#include "base/unique_fd.hpp"
#include "store/fail_point.hpp"
#include "store/schema_v1.hpp"
#include "store/schema_v2.hpp"
#include "store/schema_v3.hpp"
#include "store/schema_v4.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace agentd::store::schema {
namespace {

constexpr step all_steps[] = {v1, v2, v3, v4};

// Its names survive a power loss.
bool sync_folder_of(const std::string& file)
{
    const auto folder = std::filesystem::path{file}.parent_path();
    const base::unique_fd fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    return fd && ::fsync(fd.get()) == 0;
}

// VACUUM INTO accepts an empty file, which is made here so that its mode is ours.
base::result<> copy_to(sqlite_connection& db, const std::string& fresh, const std::string& target)
{
    const base::unique_fd made{::open(fresh.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600)};
    if (!made)
        return std::unexpected(
            base::error{errc::io, base::system_error("back up the state", errno).text});
    db.prepare("VACUUM INTO ?").bind(fresh).run();
    if (::fsync(made.get()) != 0 || ::rename(fresh.c_str(), target.c_str()) != 0 ||
        !sync_folder_of(target))
        return std::unexpected(
            base::error{errc::io, base::system_error("back up the state", errno).text});
    return {};
}

// Said before anything is begun: SQLite calls it a failing disk.
base::result<> check_room(sqlite_connection& db, const std::string& file)
{
    const auto bytes = db.number("PRAGMA page_count") * db.number("PRAGMA page_size");
    std::error_code unknown;
    const auto room = std::filesystem::space(std::filesystem::path{file}.parent_path(), unknown);
    if (unknown || room.available >= static_cast<std::uintmax_t>(bytes))
        return {};
    return std::unexpected(base::error{errc::no_space,
        fmt::format("cannot back up the state before it is changed: the disk is full ({} bytes "
                    "are free, {} needed)",
            room.available, bytes)});
}

// A whole, consistent copy under another name; complete or not there.
base::result<> back_up(sqlite_connection& db, const std::string& file, std::int64_t version)
{
    const auto target = fmt::format("{}.v{}.backup", file, version);
    const auto fresh = target + ".new";
    if (auto room = check_room(db, file); !room)
        return room;
    // A disk without room for it gets back what was begun. (Renamed, it is not there any more.)
    const base::at_exit tidy{[&fresh] { ::unlink(fresh.c_str()); }};
    auto copied = copy_to(db, fresh, target);
    if (copied)
        log::info("store.backup", {}, "state of version {} copied to {}", version, target);
    return copied;
}

base::result<> check_origin(sqlite_connection& db, std::int64_t version, std::size_t newest)
{
    const auto origin = db.number("PRAGMA application_id");
    const bool empty = db.number("SELECT count(*) FROM sqlite_schema") == 0;
    if (origin != application_id && !(empty && version == 0))
        return std::unexpected(base::error{
            errc::not_opened, "cannot open the state: the database is another program's"});
    if (version > static_cast<std::int64_t>(newest))
        return std::unexpected(base::error{errc::newer,
            fmt::format("cannot open the state: its version {} is newer than this agentd's {}",
                version, newest)});
    return {};
}

} // namespace

std::span<const step> steps()
{
    return all_steps;
}

base::result<> migrate(sqlite_connection& db, const std::string& file, std::span<const step> steps)
{
    const auto version = db.number("PRAGMA user_version");
    if (auto known = check_origin(db, version, steps.size()); !known)
        return known;
    if (version == static_cast<std::int64_t>(steps.size()))
        return {};
    if (version > 0)
        if (auto kept = back_up(db, file, version); !kept)
            return kept;
    // All steps in one transaction, synced: the old version or the new one, nothing between.
    db.set_synced(true);
    db.execute("BEGIN IMMEDIATE");
    for (const step sql : steps.subspan(static_cast<std::size_t>(version)))
        db.execute(sql);
    db.execute(fmt::format("PRAGMA application_id = {}", application_id).c_str());
    db.execute(fmt::format("PRAGMA user_version = {}", steps.size()).c_str());
    fail_point(agentd::store::step::migrate, moment::before);
    db.execute("COMMIT");
    fail_point(agentd::store::step::migrate, moment::after);
    return {};
}

} // namespace agentd::store::schema
