// A prepared statement in use; see connection.hpp.
#include "store/connection.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <system_error>

namespace agentd::store {
namespace {

// SQLite knows one errno for "full"; a quota and a limit of file sizes are the same to us. What
// it remembers of a failed commit is nothing: then the thread's own errno tells (see next).
[[noreturn]] void fail(sqlite3_stmt* stmt, int code)
{
    const int last = errno;
    sqlite3* db = sqlite3_db_handle(stmt);
    const int known = sqlite3_system_errno(db);
    const int number = (code & 0xff) != SQLITE_IOERR ? 0 : known != 0 ? known : last;
    if (number == ENOSPC || number == EDQUOT || number == EFBIG)
        code = SQLITE_FULL;
    const bool says_more = number != 0 && code != SQLITE_FULL;
    throw sqlite_error{code,
        fmt::format("cannot use the database: {}{}{}",
            code == SQLITE_FULL ? sqlite3_errstr(code) : sqlite3_errmsg(db), says_more ? ": " : "",
            says_more ? std::generic_category().message(number) : std::string{})};
}

void check(sqlite3_stmt* stmt, int code)
{
    if (code != SQLITE_OK)
        fail(stmt, code);
}

} // namespace

statement::~statement()
{
    sqlite3_reset(stmt_);
    sqlite3_clear_bindings(stmt_); // gives large texts back
}

statement& statement::bind(std::int64_t value)
{
    check(stmt_, sqlite3_bind_int64(stmt_, ++bound_, value));
    return *this;
}

statement& statement::bind(double value)
{
    check(stmt_, sqlite3_bind_double(stmt_, ++bound_, value));
    return *this;
}

statement& statement::bind(std::string_view text)
{
    // Never null: a view without bytes is the empty text, not NULL.
    const char* bytes = text.empty() ? "" : text.data();
    check(stmt_,
        sqlite3_bind_text64(stmt_, ++bound_, bytes, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
    return *this;
}

statement& statement::bind_blob(std::string_view bytes)
{
    const char* data = bytes.empty() ? "" : bytes.data();
    check(stmt_, sqlite3_bind_blob64(stmt_, ++bound_, data, bytes.size(), SQLITE_TRANSIENT));
    return *this;
}

statement& statement::bind_null()
{
    check(stmt_, sqlite3_bind_null(stmt_, ++bound_));
    return *this;
}

statement& statement::bind(base::wall_time time)
{
    return bind(std::int64_t{time.time_since_epoch().count()});
}

bool statement::next()
{
    errno = 0;
    const int code = sqlite3_step(stmt_);
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        fail(stmt_, code);
    return false;
}

void statement::run()
{
    while (next()) {
    }
}

bool statement::is_null(int column) const
{
    return sqlite3_column_type(stmt_, column) == SQLITE_NULL;
}

std::int64_t statement::integer(int column) const
{
    return sqlite3_column_int64(stmt_, column);
}

double statement::real(int column) const
{
    return sqlite3_column_double(stmt_, column);
}

std::string statement::text(int column) const
{
    const void* bytes = sqlite3_column_blob(stmt_, column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(stmt_, column));
    return bytes == nullptr ? std::string{} : std::string{static_cast<const char*>(bytes), size};
}

base::wall_time statement::time(int column) const
{
    return base::wall_time{std::chrono::milliseconds{integer(column)}};
}

std::optional<std::int64_t> statement::maybe_integer(int column) const
{
    return is_null(column) ? std::nullopt : std::optional{integer(column)};
}

std::optional<std::string> statement::maybe_text(int column) const
{
    return is_null(column) ? std::nullopt : std::optional{text(column)};
}

std::optional<base::wall_time> statement::maybe_time(int column) const
{
    return is_null(column) ? std::nullopt : std::optional{time(column)};
}

} // namespace agentd::store
