// A database opened so that nothing can be changed by it, not even by SQLite itself: no file is
// made, written or deleted. One thread; blocks.
#pragma once

#include "base/error.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

struct sqlite3;

namespace agentd::store {

class read_only_database {
public:
    enum class access {
        shared,      // beside others: by the locks and the index of the log that they share
        alone,       // nobody works with it: no locks, the log is read into memory
        without_log, // the same, and there is no log
    };
    // Errors: not_opened.
    [[nodiscard]] static base::result<read_only_database> open(const std::string& file, access how);
    read_only_database(read_only_database&& other) noexcept;
    read_only_database& operator=(read_only_database&&) = delete;
    ~read_only_database();

    // The first number of the first row; nullopt: there is none, or it failed.
    [[nodiscard]] std::optional<std::int64_t> number(const char* sql);

    struct pages {
        bool finished = true;
        std::vector<std::string> complaints;
    };
    // Looks at every page: at most so many complaints, for at most `patience`.
    [[nodiscard]] pages check_pages(std::size_t most, std::chrono::milliseconds patience);

    // The first thing that went wrong with reading. (A page that is damaged is a complaint.)
    [[nodiscard]] const std::optional<base::error>& failure() const { return failure_; }

private:
    explicit read_only_database(sqlite3* db) : db_(db) {}
    void note(int code);

    sqlite3* db_;
    std::optional<base::error> failure_;
};

} // namespace agentd::store
