#include "store/store.hpp"

#include "base/log.hpp"
#include "base/unique_fd.hpp"
#include "store/reader.hpp"
#include "store/schema.hpp"
#include "store/writer.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <filesystem>

namespace agentd::store {
namespace {

errc condition_of(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT: return errc::no_space;
    case EIO:
    case EROFS: return errc::io;
    default: return errc::not_opened;
    }
}

base::error cannot(std::string_view what, int number)
{
    return {condition_of(number), base::system_error(what, number).text};
}

// The folder, ours alone. An existing one that others may enter is closed to them.
base::result<> make_folder(const std::string& folder)
{
    std::error_code failed;
    const auto above = std::filesystem::path{folder}.parent_path();
    if (!above.empty())
        std::filesystem::create_directories(above, failed);
    if (failed)
        return std::unexpected(cannot("make the state folder", failed.value()));
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
        return std::unexpected(cannot("make the state folder", errno));
    if (::chmod(folder.c_str(), 0700) != 0)
        return std::unexpected(cannot("close the state folder to others", errno));
    return {};
}

// Makes the database file with the mode that SQLite then gives its companions, whatever the
// umask. Closed before SQLite opens it: closing it later would drop SQLite's locks.
base::result<> make_file(const std::string& file, const std::string& folder)
{
    const base::unique_fd fd{::open(file.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600)};
    if (!fd && errno == EEXIST)
        return {};
    if (!fd || ::fchmod(fd.get(), 0600) != 0)
        return std::unexpected(cannot(fmt::format("make {}", file), errno));
    const base::unique_fd parent{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!parent || ::fsync(parent.get()) != 0) // its name survives a power loss
        return std::unexpected(cannot("sync the state folder", errno));
    return {};
}

std::string kernel_boot_id()
{
    const base::unique_fd fd{::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)};
    std::array<char, 64> text{};
    const auto size = fd ? ::read(fd.get(), text.data(), text.size()) : 0;
    std::string id(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    if (id.ends_with('\n'))
        id.pop_back();
    return id.empty() ? "unknown" : id;
}

class sqlite_store final : public store {
public:
    sqlite_store(std::unique_ptr<sqlite_connection> db, event_log log, const std::string& file)
        : writer_(std::move(db), std::move(log), file), reader_(file)
    {}

    void on_events(std::function<void(committed_events)> sink) override
    {
        writer_.on_events(std::move(sink));
    }
    [[nodiscard]] std::string degraded() const override { return writer_.degraded(); }
    void on_trouble(std::function<void(std::string)> sink) override
    {
        writer_.on_trouble(std::move(sink));
    }
    [[nodiscard]] std::optional<seq_jump> jump() const override { return writer_.jump(); }

protected:
    void push_write(step name, durability keep, std::unique_ptr<unit_of_work> work) override
    {
        writer_.push(name, keep, std::move(work));
    }
    void push_read(std::unique_ptr<unit_of_work> work) override { reader_.push(std::move(work)); }

private:
    writer writer_;
    reader reader_; // ends first
};

// The write-ahead log may have vanished while it was being copied: half of it in the database
// is worse than none.
base::result<> look_at_all(sqlite_connection& db)
{
    log::error("store.history_lost", {},
        "the database is older than what was told of it: its write-ahead log is lost, or an older "
        "copy was put in its place; what was stored since then is gone");
    auto answer = db.prepare("PRAGMA quick_check(1)");
    const std::string found = answer.next() ? answer.text(0) : "it cannot be checked";
    if (found == "ok")
        return {};
    return std::unexpected(base::error{errc::corrupt, found});
}

// What keeps the database from being opened, for the person who has to mend it.
base::error explained(const std::string& file, const base::error& why)
{
    constexpr std::uintmax_t companions = 128U << 10; // SQLite's files beside it, just begun
    std::error_code unknown;
    const auto room = std::filesystem::space(std::filesystem::path{file}.parent_path(), unknown);
    if (why.is(errc::io) && !unknown && room.available < companions)
        return {errc::no_space,
            fmt::format(
                "cannot open {}: the disk is full ({} bytes are free)", file, room.available)};
    if (!why.is(errc::corrupt))
        return why;
    return {errc::corrupt,
        fmt::format("the database {0} is damaged ({1}): move it away with {0}-wal and {0}-shm, and "
                    "put a copy in its place if there is one; see STATE in agentd(8)",
            file, why.text)};
}

// SQLite would take a file that was cut to nothing for a new database, and empty the log that
// stands beside it.
bool is_cut_to_nothing(const std::string& file)
{
    std::error_code unknown;
    if (std::filesystem::file_size(file, unknown) != 0 || unknown)
        return false;
    const auto log_bytes = std::filesystem::file_size(file + "-wal", unknown);
    return (!unknown && log_bytes != 0) || newest_given(file + "-seq") != 0;
}

} // namespace

base::result<std::unique_ptr<store>> store::open(const std::string& folder, options how)
{
    const auto file = folder + "/agentd.db";
    if (auto made = make_folder(folder); !made)
        return std::unexpected(std::move(made.error()));
    if (is_cut_to_nothing(file))
        return std::unexpected(explained(file, base::error{errc::corrupt, "it is empty"}));
    if (auto made = make_file(file, folder); !made)
        return std::unexpected(std::move(made.error()));
    std::error_code unknown;
    const bool wal_gone = !std::filesystem::exists(file + "-wal", unknown);
    try {
        auto db = std::make_unique<sqlite_connection>(file, sqlite_connection::role::writes);
        if (auto current = schema::migrate(*db, file, schema::steps()); !current)
            return std::unexpected(explained(file, current.error()));
        auto boot_id = how.boot_id.empty() ? kernel_boot_id() : how.boot_id;
        event_log log{*db, std::move(boot_id), seq_mark{file + "-seq"}, wal_gone};
        if (log.has_lost())
            if (auto whole = look_at_all(*db); !whole)
                return std::unexpected(explained(file, whole.error()));
        return std::make_unique<sqlite_store>(std::move(db), std::move(log), file);
    } catch (const sqlite_error& e) {
        return std::unexpected(explained(file, to_error(e)));
    }
}

std::string_view error_text(errc condition)
{
    switch (condition) {
    case errc::no_space: return "the disk is full";
    case errc::io: return "the disk fails";
    case errc::corrupt: return "the database is damaged";
    case errc::newer: return "the state is from a newer version";
    case errc::not_opened: return "the state cannot be opened";
    case errc::closed: return "the state is being closed";
    case errc::overloaded: return "too much waits for the disk";
    case errc::failed: return "the transaction was undone";
    }
    return "unknown";
}

} // namespace agentd::store
