// One open SQLite database file: pragmas, the cache of prepared statements, errors.
// Each connection belongs to one thread at a time (opened without SQLite's own mutexes).
#pragma once

#include "base/error.hpp"
#include "store/connection.hpp"
#include "store/store.hpp"

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace agentd::store {

class event_log;

// What the store tells its callers of a failure (errc).
[[nodiscard]] base::error to_error(const sqlite_error& what);
// The database as a whole is in trouble (or the transaction is lost), not this statement alone.
[[nodiscard]] bool is_outage(int code);

class sqlite_connection final : public connection {
public:
    enum class role { writes, reads, checkpoints };

    // Throws sqlite_error.
    sqlite_connection(const std::string& file, role purpose);
    ~sqlite_connection() override;
    sqlite_connection(const sqlite_connection&) = delete;
    sqlite_connection& operator=(const sqlite_connection&) = delete;

    statement prepare(std::string_view sql) override;
    void execute(const char* sql) override;
    [[nodiscard]] std::int64_t changes() const override;
    [[nodiscard]] std::int64_t last_rowid() const override;
    base::event_seq append_event(proto::api::event what) override;
    [[nodiscard]] base::event_seq first_seq_of_transaction() const override;
    [[nodiscard]] std::string boot_id() const override;

    // Where append_event goes; without one (the reading connection) it is refused.
    void set_event_log(event_log* log) { log_ = log; }
    // Whether the next commits wait for the disk. Outside of transactions.
    void set_synced(bool on);
    [[nodiscard]] bool in_transaction() const;
    // One number of a statement without parameters; 0 when it has no row.
    [[nodiscard]] std::int64_t number(std::string_view sql);

    // All statements prepared so far (for the test of their plans).
    [[nodiscard]] std::vector<std::string> texts() const;

    // `told` hears after each commit how many pages the write-ahead log has.
    void on_wal(std::function<void(int)> told);
    // Copies what it can of the log into the database without waiting for anybody.
    void checkpoint();

private:
    struct text_hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view s) const
        {
            return std::hash<std::string_view>{}(s);
        }
    };

    [[noreturn]] void fail(int code, std::string_view what) const;
    void set_up(role purpose);

    sqlite3* db_ = nullptr;
    event_log* log_ = nullptr;
    std::function<void(int)> told_;
    bool synced_ = false;
    std::unordered_map<std::string, sqlite3_stmt*, text_hash, std::equal_to<>> statements_;
};

} // namespace agentd::store
