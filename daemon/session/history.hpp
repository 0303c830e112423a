// The conversation of a session in memory, as the bytes that go over the wire: what a request
// is made of, and the user message that is being put together for the next one.
// Each message is encoded once; what was answered never changes. On the session's strand only.
#pragma once

#include "base/error.hpp"
#include "model/reply.hpp"
#include "store/messages.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::session {

class history {
public:
    // As stored: the messages of one epoch. An unanswered last user message is the one that is
    // being put together, to be extended.
    history(store::messages::epoch epoch, std::vector<store::messages::row> rows);

    // The bytes of a request with everything there is, the message being put together included.
    [[nodiscard]] model::request request(std::int64_t max_tokens) const;

    // --- the user message being put together; its content is an encoded array, "" when empty
    [[nodiscard]] const std::string& pending() const { return pending_; }
    [[nodiscard]] std::int64_t pending_seq() const { return pending_seq_; } // 0: not stored yet
    void stored_as(std::int64_t seq) { pending_seq_ = seq; }
    // The results of the last reply's calls, in order; first in their message.
    void add_results(std::span<const std::string> blocks);
    // The element of background results: inside the last tool_result if there is one.
    [[nodiscard]] base::result<> add_background(std::string_view element);
    void add_text(std::string_view text);

    // The message being put together has its complete reply: `reply` is the assistant's encoded
    // content, "" if nothing of it can be kept. From here on it never changes.
    void answered(std::string reply);
    // The refused message is taken out again.
    void drop_pending();

    [[nodiscard]] const store::messages::epoch& epoch() const { return epoch_; }
    void begin_epoch(store::messages::epoch next) { epoch_ = std::move(next); }
    // The ids of the calls that the last reply asked for.
    [[nodiscard]] std::vector<std::string> asked_calls() const;
    // True if the last message is the assistant's: a continuation can be asked for.
    [[nodiscard]] bool ends_with_assistant() const;

private:
    // Appends to the last message when the role is the same: the wire wants them merged (§1.5).
    void append(std::string_view role, std::string_view content);

    struct entry {
        std::string role;
        std::string content;
        model::bytes encoded;
    };
    store::messages::epoch epoch_;
    model::bytes system_, tools_;
    std::vector<entry> messages_;
    std::string pending_;
    std::int64_t pending_seq_ = 0;
};

} // namespace agentd::session
