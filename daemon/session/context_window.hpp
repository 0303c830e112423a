// How full the model's context window is, and whether the conversation has to be replaced by
// a summary before the next request. Knows no conversation: it counts tokens, as the replies
// tell them, and estimates what came since by its bytes. Pure; on the session's strand.
#pragma once

#include "model/reply.hpp"

#include <cstddef>
#include <cstdint>

namespace agentd::session {

class context_window {
public:
    struct rules {
        std::int64_t tokens = 0;       // of the window, input and output together
        double compact_at = 0;         // this share of it is too full; 0: never
        std::int64_t reply_tokens = 0; // max_tokens of a request
    };
    // `known`: tokens of the conversation at its last complete reply; 0: not known.
    context_window(rules r, std::int64_t known) : rules_(r), known_(known) {}

    // What has to be done before a request can be made.
    enum class need {
        nothing,
        summary, // the conversation still fits, with the wish for a summary behind it
        digest,  // it does not: the summary has to be made from an extract of it
    };
    // `fresh`: bytes that came since the last reply; `all`: bytes of everything there is;
    // `untold`: bytes that the request will have besides, but no summary has to tell of.
    [[nodiscard]] need look(std::size_t fresh, std::size_t all, std::size_t untold = 0) const;
    // Tokens of the conversation with what came since.
    [[nodiscard]] std::int64_t filled(std::size_t fresh, std::size_t all) const;
    // Tokens that a summary of the conversation may have / one of a record, in a request of so
    // many bytes.
    [[nodiscard]] std::int64_t summary_tokens(std::size_t fresh, std::size_t all) const;
    [[nodiscard]] std::int64_t summary_tokens(std::size_t bytes) const;
    // False: a conversation of so many bytes would be too long again at once.
    [[nodiscard]] bool has_room_for(std::size_t all) const;
    // Bytes that an extract may have; less after each failure.
    [[nodiscard]] std::size_t digest_bytes() const;

    // A complete reply to the conversation, or the server's word that it is too long.
    void replied(const model::usage& used, model::stop_reason stop);
    void overflowed();
    // The conversation has begun anew / the attempt came to nothing.
    void compacted();
    void failed() { ++failures_; }
    // The window is that large, as its server says.
    void learn(std::int64_t tokens) { rules_.tokens = tokens; }

    // Tokens of the conversation at its last complete reply; 0: not known.
    [[nodiscard]] std::int64_t known() const { return known_; }
    [[nodiscard]] bool gave_up() const;
    // One failure more, and it is given up.
    [[nodiscard]] bool is_last_try() const;
    [[nodiscard]] std::size_t failures() const { return failures_; }

private:
    [[nodiscard]] std::int64_t limit() const;
    [[nodiscard]] std::int64_t room_behind(std::int64_t tokens) const;

    rules rules_;
    std::int64_t known_;
    bool overflowed_ = false;  // sure to be too long
    bool unproven_ = false;    // begun anew, and no reply has told yet how long it is now
    std::size_t failures_ = 0; // in a row
};

} // namespace agentd::session
