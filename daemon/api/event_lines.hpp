// Events as the lines of a stream: NDJSON, or server-sent events with the seq as id. Pure;
// any thread.
#pragma once

#include "base/ids.hpp"

#include <string>
#include <string_view>

namespace agentd::api {

enum class event_format { ndjson, sse };

// `json` is one object without a line end; `seq` 0: it has none.
void append_line(std::string& out, event_format format, base::event_seq seq, std::string_view json);

// The two lines that are no events: where to go on after a silence, after being cut off.
void append_heartbeat(std::string& out, event_format format, base::event_seq resume_after);
void append_lagged(std::string& out, event_format format, base::event_seq resume_after);

} // namespace agentd::api
