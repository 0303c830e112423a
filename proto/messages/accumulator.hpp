// The reply of one request, put together from its stream events (wire reference §3.2-3.5).
// Blocks are found by `index`, may be open together, and come out in the order of their
// indexes. What is incomplete stays so: nothing is repaired.
// Pure; one owner, any thread. Bounded: limits::reply_blocks, limits::reply_bytes.
#pragma once

#include "base/error.hpp"
#include "proto/messages/decode.hpp"
#include "proto/messages/reply.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace agentd::proto::messages {

class accumulator {
public:
    struct going_on {};
    // Visible text has come for block `index`.
    struct text_piece {
        std::size_t index = 0;
        std::string text;
    };
    struct complete {};
    using step = std::variant<going_on, text_piece, complete, server_error>;

    // What `event` makes of the reply. After complete, an error or a server_error the stream
    // is at its end: what follows means nothing. Errors: bad_reply, too_large.
    [[nodiscard]] base::result<step> on(stream_event event);

    [[nodiscard]] bool has_started() const { return started_; }
    // The reply; once, after complete.
    [[nodiscard]] reply take();
    // Oddities of the server that were passed over, for a log line; a few at most.
    [[nodiscard]] const std::vector<std::string>& remarks() const { return remarks_; }

private:
    // A block whose deltas are still coming, or that waits for its place.
    struct open_block {
        explicit open_block(json::object s) : start(std::move(s)) {}

        json::object start;
        bool stopped = false;
        // Joined JSON string bytes, without quotes: halves of a surrogate pair may arrive
        // apart, and what is joined is echoed as it was spelt.
        std::map<std::string, std::string, std::less<>> appended;
        std::map<std::string, std::string, std::less<>> assigned; // encoded values
        std::vector<std::string> citations;                       // encoded
        std::optional<std::string> input;                         // joined, without quotes
    };

    base::result<step> start_message(message_start event);
    base::result<step> start_block(block_start event);
    base::result<step> apply(block_delta event);
    base::result<step> apply_to(open_block& block, std::size_t index, const json::object& delta);
    base::result<step> append(open_block& block, std::string_view field, const json::value& piece);
    base::result<step> append_input(open_block& block, const json::object& delta);
    void stop_block(block_stop event);
    void apply(message_delta event);
    base::result<step> finish();
    void remark(std::string text);
    [[nodiscard]] base::result<step> charge(std::size_t bytes);

    reply reply_;
    std::map<std::int64_t, open_block> blocks_;
    std::size_t bytes_ = 0;
    bool started_ = false;
    std::vector<std::string> remarks_;
};

} // namespace agentd::proto::messages
