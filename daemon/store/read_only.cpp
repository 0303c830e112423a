#include "store/read_only.hpp"

#include "store/sqlite.hpp"
#include "store/thread.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <condition_variable>
#include <mutex>
#include <utility>

namespace agentd::store {
namespace {

// A file system of SQLite's own with every file opened for reading, and none deleted.
struct reading {
    sqlite3_vfs self{};
    sqlite3_vfs* below = nullptr;
};

int open_for_reading(sqlite3_vfs* self, const char* name, sqlite3_file* file, int flags, int* given)
{
    constexpr int change = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_DELETEONCLOSE;
    auto* const below = reinterpret_cast<reading*>(self)->below;
    if (name != nullptr) // else it is for what does not fit into memory
        flags = (flags & ~change) | SQLITE_OPEN_READONLY;
    return below->xOpen(below, name, file, flags, given);
}

int refuse_delete(sqlite3_vfs*, const char*, int)
{
    return SQLITE_READONLY;
}

// The name of the one over SQLite's usual file system, or over that without locks; registered at
// the first use, as long as the process lives. nullptr: this SQLite has no such file system.
const char* files_for(bool locks)
{
    static std::mutex one_by_one;
    static reading with_locks, without_locks;
    const std::lock_guard lock{one_by_one};
    auto& files = locks ? with_locks : without_locks;
    if (files.below != nullptr)
        return files.self.zName;
    auto* const below = sqlite3_vfs_find(locks ? nullptr : "unix-none");
    if (below == nullptr)
        return nullptr;
    files = {*below, below};
    files.self.zName = locks ? "agentd-reading" : "agentd-reading-alone";
    files.self.pNext = nullptr;
    files.self.xOpen = open_for_reading;
    files.self.xDelete = refuse_delete;
    sqlite3_vfs_register(&files.self, 0);
    return files.self.zName;
}

std::string uri_of(const std::string& file, read_only_database::access how)
{
    std::string uri{"file:"};
    for (const char c : file) {
        if (c == '%' || c == '?' || c == '#')
            uri += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        else
            uri += c;
    }
    uri += "?mode=ro";
    if (how == read_only_database::access::shared)
        uri += "&readonly_shm=1";
    if (how == read_only_database::access::without_log)
        uri += "&immutable=1";
    return uri;
}

// Ends what a connection is doing after a while, unless it is done before.
class time_limit {
public:
    time_limit(sqlite3* db, std::chrono::milliseconds limit)
        : thread_(start_thread("store-limit", [this, db, limit] {
              std::unique_lock lock{mutex_};
              if (!done_.wait_for(lock, limit, [this] { return finished_; }))
                  sqlite3_interrupt(db);
          }))
    {}
    ~time_limit()
    {
        {
            const std::lock_guard lock{mutex_};
            finished_ = true;
        }
        done_.notify_one();
    }
    time_limit(const time_limit&) = delete;
    time_limit& operator=(const time_limit&) = delete;

private:
    std::mutex mutex_;
    std::condition_variable done_;
    bool finished_ = false;
    std::jthread thread_; // ends first
};

} // namespace

base::result<read_only_database> read_only_database::open(const std::string& file, access how)
{
    constexpr int busy_ms = 2000;
    const char* const files = files_for(how == access::shared);
    sqlite3* raw = nullptr;
    const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE;
    const int code = sqlite3_open_v2(uri_of(file, how).c_str(), &raw, flags, files);
    read_only_database db{raw};
    if (code != SQLITE_OK || files == nullptr)
        return std::unexpected(base::error{errc::not_opened,
            fmt::format("cannot open {}: {}", file,
                raw == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(raw))});
    sqlite3_busy_timeout(raw, busy_ms);
    sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    if (how == access::alone) // the index of the log is in memory then
        db.note(sqlite3_exec(raw, "PRAGMA locking_mode = EXCLUSIVE", nullptr, nullptr, nullptr));
    db.note(sqlite3_exec(raw, "PRAGMA temp_store = MEMORY", nullptr, nullptr, nullptr));
    return db;
}

read_only_database::read_only_database(read_only_database&& other) noexcept
    : db_(std::exchange(other.db_, nullptr)), failure_(std::move(other.failure_))
{}

read_only_database::~read_only_database()
{
    sqlite3_close_v2(db_);
}

void read_only_database::note(int code)
{
    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW && !failure_)
        failure_ = to_error(
            sqlite_error{code, fmt::format("cannot read the database: {}", sqlite3_errmsg(db_))});
}

std::optional<std::int64_t> read_only_database::number(const char* sql)
{
    sqlite3_stmt* query = nullptr;
    note(sqlite3_prepare_v2(db_, sql, -1, &query, nullptr));
    std::optional<std::int64_t> value;
    if (query != nullptr) {
        const int code = sqlite3_step(query);
        note(code);
        if (code == SQLITE_ROW)
            value = sqlite3_column_int64(query, 0);
    }
    sqlite3_finalize(query);
    return value;
}

read_only_database::pages read_only_database::check_pages(
    std::size_t most, std::chrono::milliseconds patience)
{
    pages found;
    const time_limit bound{db_, patience};
    sqlite3_stmt* query = nullptr;
    const auto sql = fmt::format("PRAGMA quick_check({})", most);
    int code = sqlite3_prepare_v2(db_, sql.c_str(), -1, &query, nullptr);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(query);
        if (code != SQLITE_ROW)
            break;
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(query, 0));
        if (text != nullptr && std::string_view{text} != "ok")
            found.complaints.emplace_back(text);
    }
    const int kind = code & 0xff;
    found.finished = code == SQLITE_DONE || kind == SQLITE_CORRUPT;
    if (kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB)
        found.complaints.emplace_back(sqlite3_errmsg(db_));
    else if (kind != SQLITE_INTERRUPT)
        note(code);
    sqlite3_finalize(query);
    return found;
}

} // namespace agentd::store
