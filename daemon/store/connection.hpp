// One SQLite connection with its prepared statements: what works on the database get.
// A failing call throws sqlite_error, which the store's thread alone catches and makes an
// error of (STYLE: an outage is an exception). Only on the thread that owns it.
#pragma once

#include "base/clock.hpp"
#include "proto/api/types.hpp"

#include <concepts>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

struct sqlite3_stmt;

namespace agentd::store {

// The database cannot do what it was asked; `code` is SQLite's extended result code.
class sqlite_error : public std::runtime_error {
public:
    sqlite_error(int c, const std::string& what) : std::runtime_error(what), code(c) {}
    int code;
};

// A prepared statement in use: bound from left to right, read row by row, reset at its end.
class statement {
public:
    explicit statement(sqlite3_stmt* s) : stmt_(s) {}
    ~statement();
    statement(const statement&) = delete;
    statement& operator=(const statement&) = delete;

    statement& bind(std::int64_t value);
    template <std::integral T>
    statement& bind(T value)
    {
        return bind(static_cast<std::int64_t>(value));
    }
    statement& bind(double value);
    statement& bind(std::string_view text); // copied
    statement& bind_blob(std::string_view bytes);
    statement& bind_null();
    statement& bind(base::wall_time time); // INTEGER, ms since the epoch
    template <class T>
    statement& bind(const std::optional<T>& value) // absent: NULL
    {
        return value ? bind(*value) : bind_null();
    }

    // True while there is a row.
    bool next();
    // Runs a statement that gives no rows.
    void run();

    [[nodiscard]] bool is_null(int column) const;
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] double real(int column) const;
    [[nodiscard]] std::string text(int column) const; // also of a blob
    [[nodiscard]] base::wall_time time(int column) const;
    [[nodiscard]] std::optional<std::int64_t> maybe_integer(int column) const;
    [[nodiscard]] std::optional<std::string> maybe_text(int column) const;
    [[nodiscard]] std::optional<base::wall_time> maybe_time(int column) const;

private:
    sqlite3_stmt* stmt_;
    int bound_ = 0;
};

class connection {
public:
    virtual ~connection() = default;
    // A statement of this text, prepared once and kept. One use at a time per text.
    virtual statement prepare(std::string_view sql) = 0;
    virtual void execute(const char* sql) = 0;              // no parameters, no rows
    [[nodiscard]] virtual std::int64_t changes() const = 0; // rows changed by the last statement
    [[nodiscard]] virtual std::int64_t last_rowid() const = 0;

    // Adds an event to the history in the running transaction; gives it the next seq.
    // Published after the commit. (The writing connection only.)
    virtual base::event_seq append_event(proto::api::event what) = 0;
    // No event of the running transaction has a smaller seq. (The writing connection only.)
    [[nodiscard]] virtual base::event_seq first_seq_of_transaction() const = 0;
    // Which run of the machine this is. (The writing connection only.)
    [[nodiscard]] virtual std::string boot_id() const = 0;
};

} // namespace agentd::store
