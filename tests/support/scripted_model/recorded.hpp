// Judges requests that were recorded elsewhere, between a client and a server that is not this
// one, by the same rules as those that come here: `agentd-scripted-model --validate FILE`.
// Pure but for reading the stream; any thread.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>
#include <vector>

namespace agentd::testing {

/// What was found: one text for each fault, "CONVERSATION request N: what is wrong".
struct recorded_verdict {
    std::size_t requests = 0;
    std::vector<std::string> findings;
};

/// Reads JSON lines, in the order in which the requests were sent:
/// `{"conversation": name, "body": the request's body as text, "reply": what was answered}`.
/// `reply` is null (no complete reply went out), "unknown" (the client may or may not have
/// seen it whole), or `{"content": [blocks], "stop_reason": word}`, in which a tool's
/// `input_raw` holds the bytes of its input. A line that is none of this is a finding, too.
recorded_verdict judge_recorded(std::istream& lines);

} // namespace agentd::testing
