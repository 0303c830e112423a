// What the Messages API answers to one attempt: takes head and body as they come and says in
// the end what that was, a reply or a way to fail (wire reference §3.5, §4).
// On the strand of the request. Bounded: limits::reply_bytes, limits::error_body_bytes.
#pragma once

#include "base/clock.hpp"
#include "model/exchange.hpp"
#include "model/reply.hpp"
#include "model/retry_policy.hpp"
#include "proto/messages/accumulator.hpp"
#include "proto/sse/parser.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::model::anthropic {

class reply_reader final : public reply_taker {
public:
    // `told` hears of visible text of attempt number `attempt`. `secrets` are what no failure may
    // quote; they outlive this.
    reply_reader(progress& told, std::int64_t attempt, const std::vector<std::string>& secrets)
        : told_(told), attempt_(attempt), secrets_(secrets)
    {}

    void on_head(const reply_head& head) override;
    bool on_body(std::string_view piece) override;

    // After the exchange; once.
    [[nodiscard]] std::expected<reply, attempt_failure> result(const exchange_end& end);
    // Oddities of the server's stream, for a log line.
    [[nodiscard]] const std::vector<std::string>& remarks() const { return stream_.remarks(); }

private:
    // What the body is, as the head has it.
    enum class body {
        none_yet,
        events,  // a stream
        message, // one JSON object: a gateway that ignored `stream`
        error,   // a status that is none of success
        foreign, // neither of these: HTML, an encoding that was not asked for
    };

    bool on_events(std::string_view piece);
    bool on_event(const proto::sse::event& what);
    [[nodiscard]] attempt_failure fail(
        attempt_failure::kind what, std::string type, std::string text) const;
    // What the server sent without the secrets, for people: before any part is taken of it. What
    // is parsed or compared is what came: a secret can be as short as a word of it.
    [[nodiscard]] std::string clean(std::string_view text) const;
    // The same as one line, not too long.
    [[nodiscard]] std::string quote(std::string_view text) const;
    [[nodiscard]] attempt_failure transport_failure(const exchange_end& end) const;
    [[nodiscard]] attempt_failure status_failure() const;
    [[nodiscard]] attempt_failure foreign_failure() const;
    [[nodiscard]] std::expected<proto::messages::reply, attempt_failure> take_message(
        const exchange_end& end);

    progress& told_;
    std::int64_t attempt_;
    const std::vector<std::string>& secrets_;
    reply_head head_;
    body is_ = body::none_yet;
    std::string kept_; // of a body that is no stream
    std::size_t body_bytes_ = 0;
    proto::sse::parser events_;
    proto::messages::accumulator stream_;
    bool complete_ = false;
    std::optional<base::mono_time> first_content_;
    std::optional<attempt_failure> failed_;
};

} // namespace agentd::model::anthropic
