// The provider's free calls beside the messages themselves: which models there are, what one of
// them takes, how many tokens a request has (wire reference §6). One attempt each over the
// connections that messages use, whole replies. On the caller's strand.
#pragma once

#include "model/origin.hpp"
#include "model/reply.hpp"

#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace agentd::model::anthropic {

struct side_question {
    std::string method = "GET";
    std::string path; // below the base URL's
    std::string body; // of POST
};

// A reply of whatever status, as it came: what people read of it has to be redacted. Bounded:
// limits::side_reply_bytes.
struct side_reply {
    int status = 0;
    std::string type; // the media type; "" where none was given
    std::string body;
    std::string request_id;

    [[nodiscard]] bool is_ok() const { return status >= 200 && status < 300; }
    // The path is not there: a compatible server without this call.
    [[nodiscard]] bool is_unsupported() const
    {
        return status == 404 || status == 405 || status == 501;
    }
};

// No reply: the connection's failures as `asking` names them, "protocol_error" where a reply is
// too large. Each stage within limits::side_call_deadline. Throws operation_aborted.
[[nodiscard]] aio::awaitable<std::expected<side_reply, failure>> side_call(
    std::shared_ptr<origin> at, side_question what);

// `text` as one segment of a path.
[[nodiscard]] std::string path_segment(std::string_view text);

// GET /v1/models/{model}: the most input tokens it takes. Shares questions and remembers
// answers in `at`; see client::input_limit.
[[nodiscard]] aio::awaitable<std::optional<std::int64_t>> input_limit_of(
    std::shared_ptr<origin> at, std::string model);

} // namespace agentd::model::anthropic
