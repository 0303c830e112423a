// A reply as bytes and times: what the connection writes, piece by piece, and where it
// stops. Decided without I/O by `plan_reply`; carried out by reply_writer. Pure.
#pragma once

#include "api_error.hpp"
#include "scenario.hpp"
#include "sse_encoder.hpp"
#include "substitute.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::testing {

/// The bytes of one answer. `head` is written first (raw replies have none), then the pieces.
struct wire_plan {
    std::string head;
    std::vector<std::string> pieces; ///< events, or a body, or raw bytes
    bool chunked = false;            ///< each piece becomes a chunk
    bool is_stream = false;          ///< counted as an active stream while it is written
    bool closes = false;             ///< the connection ends behind it
    int status = 200;                ///< 0 for raw bytes
    reply_timing timing;
};

/// What a planned reply says to the conversation when it arrives whole.
struct planned_reply {
    wire_plan wire;
    std::optional<made_message> message; ///< for replies of blocks; else unknown
};

/// What a reply is made for.
struct reply_context {
    std::string_view model;
    std::size_t input_bytes = 0;
    bool stream = false;
    std::string_view request_id;
};

planned_reply plan_reply(
    const reply& from, const variables& known, const reply_context& context, id_source& ids);

/// A body with a status; `extra` replaces headers of the same name.
wire_plan plan_body(int status, std::string_view content_type, std::string body,
    std::string_view request_id,
    const std::vector<std::pair<std::string, std::string>>& extra = {});

/// An error of the API.
wire_plan plan_error(const api_error& what, std::string_view request_id);

} // namespace agentd::testing
