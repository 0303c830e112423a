// The second version of the schema: long conversations begin anew with a summary.
#pragma once

namespace agentd::store::schema {

inline constexpr const char* v2 = R"sql(
-- Messages with a smaller seq are no part of the epoch: they were summarised.
ALTER TABLE epochs ADD COLUMN first_seq INTEGER NOT NULL DEFAULT 0;
-- Tokens of the conversation as the last complete reply has counted them; 0: not known.
ALTER TABLE sessions ADD COLUMN context_tokens INTEGER NOT NULL DEFAULT 0;
)sql";

} // namespace agentd::store::schema
