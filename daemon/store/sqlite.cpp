#include "store/sqlite.hpp"

#include "base/limits.hpp"
#include "store/event_log.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cassert>
#include <mutex>

namespace agentd::store {
namespace {

constexpr int busy_ms = 5000; // somebody looks into the file with sqlite3(1)

// Once per process, before the first connection: no counting of memory under a global lock;
// savepoints keep the few pages they changed in memory and not in a file of /tmp.
void configure_library()
{
    static std::once_flag once;
    std::call_once(once, [] {
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
        sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, 4 << 20);
    });
}

errc errc_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL: return errc::no_space;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return errc::corrupt;
    case SQLITE_CANTOPEN: return errc::not_opened;
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_PROTOCOL:
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return errc::io;
    default: return errc::failed;
    }
}

int count_wal(void* self, sqlite3*, const char*, int pages)
{
    (*static_cast<std::function<void(int)>*>(self))(pages);
    return SQLITE_OK;
}

} // namespace

base::error to_error(const sqlite_error& what)
{
    return {errc_of(what.code), what.what()};
}

bool is_outage(int code)
{
    return errc_of(code) != errc::failed || (code & 0xff) == SQLITE_NOMEM ||
        (code & 0xff) == SQLITE_INTERRUPT;
}

sqlite_connection::sqlite_connection(const std::string& file, role purpose)
{
    configure_library();
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const int code = sqlite3_open_v2(file.c_str(), &db_, flags, nullptr);
    try {
        if (code != SQLITE_OK)
            fail(code, "open the database");
        set_up(purpose);
    } catch (const sqlite_error&) { // the destructor does not run
        for (const auto& [text, stmt] : statements_)
            sqlite3_finalize(stmt);
        sqlite3_close_v2(db_);
        throw;
    }
}

void sqlite_connection::set_up(role purpose)
{
    sqlite3_busy_timeout(db_, busy_ms);
    sqlite3_db_config(db_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
    sqlite3_db_config(db_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    // Pages hold pointers back so that deleted history can be given back in small steps; has
    // to be said before the first table. (Said again, it would write.)
    constexpr std::int64_t incremental = 2;
    if (purpose == role::writes && number("PRAGMA auto_vacuum") != incremental)
        execute("PRAGMA auto_vacuum = INCREMENTAL");
    {
        auto mode = prepare("PRAGMA journal_mode = WAL");
        if (!mode.next() || mode.text(0) != "wal")
            throw sqlite_error{
                SQLITE_CANTOPEN, "cannot keep a write-ahead log on this file system"};
    }
    // Checkpoints are made by a thread of their own (checkpointer.hpp).
    execute("PRAGMA wal_autocheckpoint = 0");
    execute("PRAGMA journal_size_limit = 67108864");
    execute("PRAGMA synchronous = NORMAL");
    execute("PRAGMA temp_store = MEMORY");
    // References are kept right by the functions of the tables, which delete explicitly; the
    // checks would look up a parent for each event and message.
    execute("PRAGMA foreign_keys = OFF");
    if (purpose == role::reads)
        execute("PRAGMA query_only = ON");
}

sqlite_connection::~sqlite_connection()
{
    for (const auto& [text, stmt] : statements_)
        sqlite3_finalize(stmt);
    sqlite3_close_v2(db_);
}

void sqlite_connection::fail(int code, std::string_view what) const
{
    throw sqlite_error{code, fmt::format("cannot {}: {}", what, sqlite3_errmsg(db_))};
}

statement sqlite_connection::prepare(std::string_view sql)
{
    auto found = statements_.find(sql);
    if (found == statements_.end()) {
        sqlite3_stmt* made = nullptr;
        const int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
            SQLITE_PREPARE_PERSISTENT, &made, nullptr);
        if (code != SQLITE_OK)
            fail(code, "prepare a statement");
        found = statements_.emplace(std::string{sql}, made).first;
    }
    assert(!sqlite3_stmt_busy(found->second) && "one use at a time per text");
    return statement{found->second};
}

void sqlite_connection::execute(const char* sql)
{
    const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK)
        fail(code, "use the database");
}

std::int64_t sqlite_connection::changes() const
{
    return sqlite3_changes64(db_);
}

std::int64_t sqlite_connection::last_rowid() const
{
    return sqlite3_last_insert_rowid(db_);
}

base::event_seq sqlite_connection::append_event(proto::api::event what)
{
    if (log_ == nullptr)
        throw sqlite_error{SQLITE_READONLY, "cannot append an event: this connection only reads"};
    return log_->append(*this, std::move(what));
}

base::event_seq sqlite_connection::first_seq_of_transaction() const
{
    return log_ == nullptr ? 0 : log_->next() - log_->mark();
}

std::string sqlite_connection::boot_id() const
{
    return log_ == nullptr ? std::string{} : log_->boot_id();
}

void sqlite_connection::set_synced(bool on)
{
    if (on == synced_)
        return;
    // Takes effect while it is parsed: it cannot be prepared once.
    execute(on ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    synced_ = on;
}

bool sqlite_connection::in_transaction() const
{
    return sqlite3_get_autocommit(db_) == 0;
}

std::int64_t sqlite_connection::number(std::string_view sql)
{
    auto row = prepare(sql);
    return row.next() ? row.integer(0) : 0;
}

std::vector<std::string> sqlite_connection::texts() const
{
    std::vector<std::string> all;
    all.reserve(statements_.size());
    for (const auto& [text, stmt] : statements_)
        all.push_back(text);
    return all;
}

void sqlite_connection::on_wal(std::function<void(int)> told)
{
    told_ = std::move(told);
    sqlite3_wal_hook(db_, count_wal, &told_);
}

void sqlite_connection::checkpoint()
{
    const int code =
        sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY)
        fail(code, "copy the write-ahead log");
}

} // namespace agentd::store
