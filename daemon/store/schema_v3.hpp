// The third version of the schema: a task under which the daemon ends again and again is known.
#pragma once

namespace agentd::store::schema {

inline constexpr const char* v3 = R"sql(
-- The run of the machine (boot id) in which the task was being worked on; empty: it was not, or
-- what worked on it stopped in order. Left standing by a daemon that ended otherwise.
ALTER TABLE tasks ADD COLUMN at_work TEXT NOT NULL DEFAULT '';
)sql";

} // namespace agentd::store::schema
