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
    // The same with `last` in its place: the content of the last user message.
    [[nodiscard]] model::request request_ending(
        std::string_view last, std::int64_t max_tokens) const;
    // Bytes of a request with everything there is.
    [[nodiscard]] std::size_t size() const;
    // False: no complete reply is in it yet.
    [[nodiscard]] bool has_reply() const;
    // The encoded messages, without the one being put together.
    [[nodiscard]] std::vector<model::bytes> messages() const;

    // --- the user message being put together; its content is an encoded array, "" when empty
    [[nodiscard]] const std::string& pending() const { return pending_; }
    [[nodiscard]] std::int64_t pending_seq() const { return pending_seq_; } // 0: not stored yet
    void stored_as(std::int64_t seq) { pending_seq_ = seq; }
    // The results of the last reply's calls, in order; first in their message.
    void add_results(std::span<const std::string> blocks);
    // The element of background results: inside the last tool_result if there is one; in the
    // place of an earlier element, which it holds all of, if there is one.
    [[nodiscard]] base::result<> add_background(std::string_view element);
    // The message was stored with this element: that is the one to be replaced. False: it has
    // none like it.
    bool knows_background(std::string_view element);
    // What is being put together, without its element; "" when nothing else is in it.
    [[nodiscard]] std::string pending_without_background() const;
    void add_text(std::string_view text);

    // The message being put together has its complete reply: `reply` is the assistant's encoded
    // content, "" if nothing of it can be kept. From here on it never changes.
    void answered(std::string reply);

    [[nodiscard]] const store::messages::epoch& epoch() const { return epoch_; }
    // Takes the thinking out of what the model has said, all other bytes staying as they are:
    // the server does not accept it any more.
    void drop_thinking();
    // Begins anew: `first` is the content of the only message, to be extended, stored as `seq`.
    void begin_epoch(store::messages::epoch next, std::string first, std::int64_t seq);
    // A user's text is to follow: what the server itself was still doing is not gone on with.
    void drop_open_server_calls();
    // The ids of the calls that the last reply asked for.
    [[nodiscard]] std::vector<std::string> asked_calls() const;
    // True if the last message is the assistant's: a continuation can be asked for.
    [[nodiscard]] bool ends_with_assistant() const;

private:
    // Appends to the last message when the role is the same: the wire wants them merged (§1.5).
    void append(std::string_view role, std::string_view content);

    struct entry {
        bool by_user = true;
        model::bytes encoded; // the one copy of it

        // The array inside.
        [[nodiscard]] std::string_view content() const;
    };
    store::messages::epoch epoch_;
    model::bytes system_, tools_;
    std::vector<entry> messages_;
    std::string pending_;
    std::string background_; // the encoded block in pending_ that holds the element; "" for none
    std::int64_t pending_seq_ = 0;
};

} // namespace agentd::session
