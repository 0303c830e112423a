// A reply of the Messages API as a value: its blocks with their bytes, why it stopped, what
// it used. Only what the wire says; what it means is decided above (model/anthropic).
// Pure data; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace agentd::proto::messages {

enum class block_kind { text, tool_use, thinking, other };

// How a tool's input arrived; only `complete` may be run (wire reference §3.4).
enum class input_state { complete, cut_off, invalid };

struct block {
    block_kind kind = block_kind::other;
    std::string raw;      // the block's JSON, fit to be echoed: its bytes are those received
    std::string text;     // of text
    std::string id, name; // of tool_use
    std::string input;    // of tool_use: an object's bytes; when not complete, what came
    input_state input_is = input_state::complete;
};

// Tokens; absent where the server said nothing. Later figures replace earlier ones.
struct usage {
    std::optional<std::int64_t> input, output, cache_read, cache_write;
};

struct reply {
    std::string id;
    std::string model;
    std::vector<block> content;
    std::string stop_reason; // the wire's word; empty: absent or null
    std::string stop_sequence;
    std::string refusal_explanation;
    messages::usage usage;
    // False: a delta of unknown kind was skipped, so a block may be incomplete (§3.3).
    bool replayable = true;
};

// An error as the server tells it, in a body or in an `error` event; either may be empty.
struct server_error {
    std::string type;
    std::string message;
    std::string code; // error.details.error_code
    std::string request_id;
};

} // namespace agentd::proto::messages
