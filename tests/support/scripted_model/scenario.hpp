// What a scenario file says, as values: which conversation walks which steps, what each
// request must hold and what it is answered with. README.md in this folder describes the
// file. Immutable after parsing, so any thread may read it.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentd::testing {

/// What one tool_result must hold; all of it is optional.
struct result_expectation {
    std::vector<std::string> contains;
    std::vector<std::string> not_contains;
    std::optional<bool> is_error; ///< absent in the request counts as false
};

/// What a request must hold. Empty parts ask for nothing.
struct expectation {
    std::vector<std::string> contains;          ///< in the last user message
    std::vector<std::string> not_contains;      ///< in the last user message
    std::vector<std::string> contains_in_order; ///< in the last user message, in this order
    std::vector<std::string> matches;           ///< regexes over the last user message
    std::vector<std::string> history_contains;  ///< anywhere in the messages
    std::vector<std::string> history_not_contains;
    std::vector<std::string> history_in_order; ///< anywhere in the messages, in this order
    std::vector<std::string> history_once;     ///< exactly once in all messages
    std::vector<std::string> system_contains;
    std::vector<std::string> tools;                              ///< names that must be offered
    std::optional<std::vector<result_expectation>> tool_results; ///< all of them, in call order
    std::vector<std::pair<std::string, std::optional<std::string>>> headers; ///< none: absent
    std::optional<std::string> model;
    std::optional<std::string> last_block_type;
    std::optional<std::size_t> message_count;
    std::optional<std::size_t> max_tokens;
    std::optional<bool> stream;
};

/// When the bytes of a reply go out and how they may fail to.
struct reply_timing {
    std::chrono::milliseconds delay{0};            ///< before the head
    std::chrono::milliseconds first_byte_delay{0}; ///< between head and first event
    std::chrono::milliseconds between{0};          ///< between events
    std::string hold;                              ///< name that must be released; "" = none
    std::optional<std::size_t> hold_after_events;  ///< none: hold before the head
    std::optional<std::size_t> stall_after_events;
    std::optional<std::size_t> cut_after_events;
    std::size_t write_bytes = 0; ///< send each event in pieces of this size; 0 = whole
    bool reset = false;          ///< a cut or early close sends RST
    bool close_after = false;
    bool early_close = false; ///< close instead of answering
};

/// One reply in one of four forms.
struct reply {
    enum class form {
        content, ///< blocks, encoded as a stream or as one message
        events,  ///< raw server-sent events
        raw,     ///< raw bytes instead of an HTTP reply
        plain,   ///< a status with an error or any body
    };
    form is = form::content;
    boost::json::array content;
    std::string stop_reason; ///< "": tool_use if there is a call, else end_turn
    boost::json::object usage;
    std::size_t deltas = 1; ///< pieces that a text or an input is split into
    bool as_json = false;   ///< one JSON message although a stream was asked for
    boost::json::array events;
    std::vector<std::string> raw; ///< bytes, each item a write of its own
    int status = 200;
    boost::json::object error; ///< form::plain: type, message, details
    std::optional<std::string> body;
    std::vector<std::pair<std::string, std::string>> headers;
    reply_timing timing;
};

/// One step: what must come, what is picked out of it, what is answered.
struct step {
    expectation expect;
    std::optional<expectation> repeat_until; ///< answer without going on until this is met
    std::vector<std::pair<std::string, std::string>> capture; ///< name, regex with one group
    std::size_t times = 1;
    reply answer;
};

/// How strictly a conversation's history is compared from request to request.
enum class append_rule {
    strict,     ///< an answered message never changes
    extendable, ///< the last user message may always be extended (a killed client's retry)
    off,
};

/// The script of all conversations whose first user message holds `prompt`.
struct script {
    std::string key;
    std::string prompt; ///< substring; "" matches all
    std::vector<step> steps;
    bool repeat_last = false; ///< behind the last step: its reply again, else an error
    append_rule append = append_rule::strict;
};

/// A scenario file.
struct scenario {
    std::vector<script> scripts; ///< the first that matches wins; `default` comes last
    std::vector<std::string> models;
    std::size_t max_body_bytes = 32U << 20U; ///< the API's limit; beyond: 413, body unread
    std::optional<reply> too_large;          ///< instead of the usual 413
    std::chrono::milliseconds idle_close{0}; ///< close idle connections after this; 0 = never
};

/// Reads a scenario. The error names each fault with its path, one per line.
std::expected<scenario, std::string> parse_scenario(std::string_view text);

/// Reads a scenario file; the error names the file.
std::expected<scenario, std::string> load_scenario(const std::string& file);

/// What is used without a file: every conversation is answered with a short text.
scenario plain_scenario();

} // namespace agentd::testing
