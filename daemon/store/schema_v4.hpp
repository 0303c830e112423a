// The fourth version of the schema: what is remembered of deleted things is forgotten in the end.
#pragma once

namespace agentd::store::schema {

inline constexpr const char* v4 = R"sql(
-- When it was deleted; 0: before this version.
ALTER TABLE removed ADD COLUMN removed_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX removed_at ON removed (removed_at);
)sql";

} // namespace agentd::store::schema
