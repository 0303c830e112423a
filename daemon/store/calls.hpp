// The table of tool calls: which tool_use of which reply was started, and what it answered.
// On the store's threads, inside a transaction.
#pragma once

#include "proto/api/types.hpp"
#include "store/connection.hpp"

namespace agentd::store::calls {

enum class state { asked = 0, started = 1, finished = 2 };

struct row {
    std::int64_t message_seq = 0; // of the reply that asked
    std::int64_t position = 0;    // among its tool_use blocks, from 0
    base::task_id task_id;
    std::string tool_id; // toolu_...
    std::string name;
    std::string input; // a JSON object's bytes; "" if what came was none
    calls::state state = calls::state::asked;
    std::string text; // the answer
    bool is_error = false;
};

void insert(connection& db, const base::session_id& id, const row& what);
void start(
    connection& db, const base::session_id& id, std::int64_t message_seq, std::int64_t position);
void finish(connection& db, const base::session_id& id, std::int64_t message_seq,
    std::int64_t position, std::string_view text, bool is_error);
// The calls of one reply, in order.
[[nodiscard]] std::vector<row> of_message(
    connection& db, const base::session_id& id, std::int64_t message_seq);
// The seq of the session's newest reply that has any; 0: none has.
[[nodiscard]] std::int64_t newest_message(connection& db, const base::session_id& id);

} // namespace agentd::store::calls
