// The daemon's state changed by a test, for moments that cannot be met from outside.
#pragma once

#include "tests/support/harness/world.hpp"

#include <doctest/doctest.h>
#include <sqlite3.h>

namespace agentd::testing {

// Changes the state by hand, beside the daemon or without it.
inline void change_state(world& w, const char* sql)
{
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open((w.state_folder() + "/agentd.db").c_str(), &db) == SQLITE_OK);
    sqlite3_busy_timeout(db, 10'000);
    char* why = nullptr;
    const auto done = sqlite3_exec(db, sql, nullptr, nullptr, &why);
    CHECK_MESSAGE(done == SQLITE_OK, (why == nullptr ? "" : why));
    sqlite3_free(why);
    sqlite3_close(db);
}

// Makes of the state what the first version of the schema would have kept of it
// (tests/daemon/store/open_test.cpp: nothing else differs).
inline void to_first_version(world& w)
{
    change_state(w,
        "ALTER TABLE epochs DROP COLUMN first_seq; ALTER TABLE sessions DROP COLUMN context_tokens;"
        "ALTER TABLE tasks DROP COLUMN at_work;"
        "DROP INDEX removed_at; ALTER TABLE removed DROP COLUMN removed_at;"
        "PRAGMA user_version = 1");
}

} // namespace agentd::testing
