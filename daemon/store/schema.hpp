// The shape of the database, and how an older one becomes the present one. The version is
// SQLite's user_version; each step leads from one version to the next and is never changed
// once released. On the thread that opens the store.
#pragma once

#include "base/error.hpp"
#include "store/sqlite.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace agentd::store::schema {

// How SQLite's application_id tells our databases from others'.
inline constexpr std::int64_t application_id = 0x61676e74; // "agnt"

// SQL that leads from version N (its index) to N + 1.
using step = const char*;

[[nodiscard]] std::span<const step> steps();

// Brings `db` to the version steps.size(). An empty file gets all steps; an older version is
// copied to FILE.v<N>.backup first; a newer one is refused (errc::newer), as is a database of
// another program (errc::not_opened). Throws sqlite_error.
[[nodiscard]] base::result<> migrate(
    sqlite_connection& db, const std::string& file, std::span<const step> steps);

} // namespace agentd::store::schema
