// What the model layer speaks of, whoever the provider is: turns, blocks and usage. The bytes
// of blocks are kept as they came, because they are sent back unchanged (wire reference §1.7).
// Pure data; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::model {

// Bytes that are encoded once and shared by every request that carries them.
using bytes = std::shared_ptr<const std::string>;

// One request of a turn. `messages` are encoded messages of the wire,
// {"role":"...","content":[...]}, first user, last user (or a continued pause_turn);
// `system` and `tools` encoded JSON arrays. Cache marks are put in by the encoder.
struct request {
    std::string model;
    std::int64_t max_tokens = 0; // 0: the configured number
    bytes system;
    bytes tools;
    std::vector<bytes> messages;
};

enum class block_kind { text, tool_use, thinking, other };

// How a tool's input arrived: only `complete` may be run (wire reference §3.4).
enum class input_state { complete, cut_off, invalid };

struct block {
    block_kind kind = block_kind::other;
    std::string raw;                // the block's JSON, to be echoed byte for byte
    std::string text;               // of text
    std::string tool_id, tool_name; // of tool_use
    std::string input; // of tool_use: a JSON object's bytes; when not complete, what came
    input_state input_is = input_state::complete;
};

enum class stop_reason {
    end_turn,
    tool_use,
    max_tokens,
    stop_sequence,
    pause_turn,
    refusal,
    context_window_exceeded,
    other, // absent or unknown: as end_turn
};

// The wire's name: "end_turn", ...; `other` gives "".
[[nodiscard]] std::string_view to_string(stop_reason);

struct usage {
    std::int64_t input = 0;
    std::int64_t output = 0;
    std::int64_t cache_read = 0;
    std::int64_t cache_write = 0;
};

// What a model was paid for.
struct billed {
    std::string model;
    model::usage used;
};

// A complete reply: message_stop was seen.
struct reply {
    std::vector<block> content;
    stop_reason stop = stop_reason::other;
    std::string refusal_explanation; // of refusal, where one was given
    model::usage usage;
    std::string model;      // that answered; a fallback's name when it was one
    std::string request_id; // "" when the server gave none
    std::int64_t attempts = 1;
    std::optional<std::chrono::milliseconds> first_token; // from the request's last byte
    // Replies that came before this one and were discarded: refusals, in whose place a fallback
    // has answered. They are billed, too, each at its own model's price; not part of `usage`.
    std::vector<billed> discarded;
    // The server did not accept the thinking in `messages` and answered without it: the next
    // request of this conversation should leave it out from the start.
    bool without_thinking = false;
    bool replayable = true; // false: a block had a delta of unknown kind (wire reference §3.3)
};

// All that was billed for it, discarded replies included.
[[nodiscard]] usage billed_usage(const reply& what);

// What of a reply goes into history: the encoded content array of its blocks' own bytes, texts
// that are blank left out (the API refuses them). Empty when nothing remains: then there is no
// assistant message.
[[nodiscard]] std::string history_content(const reply& what);

// Why there is no reply; final, all retries that are allowed are spent.
struct failure {
    // The wire's error.type, or one of: connect_error, proxy_error, tls_error, timeout,
    // connection_lost (before a reply or in it), protocol_error, no_credential.
    std::string type;
    std::string message; // for people; never a credential
    std::optional<int> status;
    std::string request_id;
    std::int64_t attempts = 0;
    // The request does not fit: into the model's window, or into what the API takes at all. With
    // a shorter history it may work; as it is, never.
    bool too_long = false;
    std::vector<billed> discarded; // as a reply's
};

using outcome = std::expected<reply, failure>;

// What a running request tells while it runs; called on the strand of the asking coroutine.
class progress {
public:
    virtual ~progress() = default;
    // A piece of visible text of block `index` in attempt `attempt` (from 1).
    virtual void on_text(std::int64_t attempt, std::size_t index, std::string_view text) = 0;
    // The attempt has failed and is tried again after `delay`; what on_text told is void. Also
    // when the request has to wait before it is sent, because another one met a limit: `attempt`
    // is then the one before, or 0.
    virtual void on_retry(
        std::int64_t attempt, const failure& why, std::chrono::milliseconds delay) = 0;
    // Goes on with another model; what on_text told is void.
    virtual void on_fallback(std::string_view from, std::string_view to, const failure& why) = 0;
};

} // namespace agentd::model
