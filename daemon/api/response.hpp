// Answers: whole ones as values, and long ones written piece by piece. Values are pure; a
// body_stream is on its connection's strand.
#pragma once

#include "api/transport.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentd::api {

using head_fields = std::vector<std::pair<std::string, std::string>>;

struct response {
    response() = default;
    response(int s, std::string b) : status(s), body(std::move(b)) {}

    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    head_fields fields;    // besides content type and length
    bool streamed = false; // the handler has sent it itself
    bool broken = false;   // of a streamed one: it could not be sent to its end
};

// The status line and fields up to the empty line. `length` nullopt: none is said.
[[nodiscard]] std::string head_text(int status, const std::string& content_type,
    std::optional<std::size_t> length, const head_fields& fields);

// The body of an answer whose length is not known when it begins: chunked, or for an old
// client ended by closing.
class body_stream {
public:
    // `begun` becomes true with the head, and outlives the stream.
    body_stream(transport& to, bool chunks, bool& begun) : to_(&to), chunks_(chunks), begun_(&begun)
    {}

    // The head; before anything else. Errors: closed, stalled.
    aio::awaitable<base::result<>> begin(int status, std::string content_type, head_fields fields);
    // Nothing for empty bytes.
    aio::awaitable<base::result<>> write(std::string bytes);
    aio::awaitable<base::result<>> end();

private:
    transport* to_;
    bool chunks_;
    bool* begun_;
};

} // namespace agentd::api
