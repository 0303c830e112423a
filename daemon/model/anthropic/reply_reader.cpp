#include "model/anthropic/reply_reader.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "model/anthropic/thinking.hpp"
#include "model/anthropic/translate.hpp"
#include "model/error.hpp"
#include "model/redact.hpp"
#include "proto/messages/decode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace agentd::model::anthropic {
namespace {

namespace messages = proto::messages;
using kind = attempt_failure::kind;

constexpr std::size_t shown_bytes = 200; // of a body that is not the API's

// "text/html; charset=utf-8" -> "text/html"
std::string_view media_type(std::string_view field)
{
    return base::strip(field.substr(0, field.find(';')));
}

} // namespace

void reply_reader::on_head(const reply_head& head)
{
    head_ = head;
    const auto type = media_type(head.field("content-type"));
    const auto encoding = head.field("content-encoding");
    const bool is_success = head.status >= 200 && head.status < 300;
    if (!is_success)
        is_ = body::error;
    else if (!encoding.empty() && encoding != "identity")
        is_ = body::foreign;
    else if (type == "text/event-stream" || type.empty())
        is_ = body::events;
    else if (type == "application/json")
        is_ = body::message;
    else
        is_ = body::foreign;
}

bool reply_reader::on_body(std::string_view piece)
{
    body_bytes_ += piece.size();
    if (is_ == body::events)
        return on_events(piece);
    // Of a foreign one little is shown, but each secret in it shortens what is before the cut.
    const std::size_t most = is_ == body::message ? limits::reply_bytes : limits::error_body_bytes;
    kept_ += piece.substr(0, most - std::min(most, kept_.size()));
    if (is_ == body::message && body_bytes_ > most)
        failed_ = fail(kind::useless, "protocol_error", "the reply is too large");
    return body_bytes_ < most;
}

bool reply_reader::on_events(std::string_view piece)
{
    std::vector<proto::sse::event> events;
    if (const auto fed = events_.feed(piece, events); !fed) {
        failed_ = fail(kind::malformed, "protocol_error", fed.error().text);
        return false;
    }
    return std::ranges::all_of(events, [this](const proto::sse::event& e) { return on_event(e); });
}

bool reply_reader::on_event(const proto::sse::event& what)
{
    auto decoded = messages::decode(what.name, what.data);
    if (!decoded) {
        const auto shown = messages::decode(what.name, clean(what.data));
        failed_ = fail(kind::malformed, "protocol_error",
            shown ? "an event that cannot be read" : shown.error().text);
        return false;
    }
    if (!first_content_ && std::holds_alternative<messages::block_start>(*decoded))
        first_content_ = base::mono_now();
    auto step = stream_.on(std::move(*decoded));
    if (!step) {
        failed_ = fail(kind::malformed, "protocol_error", std::move(step.error().text));
        return false;
    }
    if (const auto* text = std::get_if<messages::accumulator::text_piece>(&*step))
        told_.on_text(attempt_, text->index, text->text);
    if (auto* error = std::get_if<messages::server_error>(&*step)) {
        failed_ = fail(kind::stream, error->type.empty() ? "api_error" : error->type,
            "the reply ended with an error: " + messages::decode_error(clean(what.data)).message);
        failed_->code = error->code;
        return false;
    }
    complete_ = std::holds_alternative<messages::accumulator::complete>(*step);
    return !complete_;
}

std::expected<reply, attempt_failure> reply_reader::result(const exchange_end& end)
{
    auto taken = take_message(end);
    if (!taken)
        return std::unexpected(std::move(taken.error()));
    reply made = to_reply(std::move(*taken));
    made.request_id = quote(head_.field("request-id"));
    if (first_content_ && end.sent_at)
        made.first_token = std::max(std::chrono::milliseconds{0},
            std::chrono::duration_cast<std::chrono::milliseconds>(*first_content_ - *end.sent_at));
    return made;
}

std::expected<messages::reply, attempt_failure> reply_reader::take_message(const exchange_end& end)
{
    if (complete_)
        return stream_.take();
    if (failed_)
        return std::unexpected(*failed_);
    // A status says more than how its body ended; so does the beginning of a foreign body.
    if (is_ == body::error)
        return std::unexpected(status_failure());
    if (is_ == body::foreign)
        return std::unexpected(foreign_failure());
    if (!end.how)
        return std::unexpected(transport_failure(end));
    if (body_bytes_ == 0)
        return std::unexpected(fail(kind::useless, "protocol_error", "empty response"));
    if (is_ == body::events)
        return std::unexpected(
            fail(kind::connection, "connection_lost", "the reply ended before its message_stop"));
    auto message = messages::decode_message(kept_);
    if (!message) {
        const auto shown = messages::decode_message(clean(kept_));
        return std::unexpected(fail(kind::malformed, "protocol_error",
            shown ? "a reply that cannot be read" : shown.error().text));
    }
    return std::move(*message);
}

attempt_failure reply_reader::fail(kind what, std::string type, std::string text) const
{
    attempt_failure failed;
    failed.what = what;
    failed.told.type = std::move(type);
    failed.told.message = std::move(text);
    failed.told.request_id = quote(head_.field("request-id"));
    return failed;
}

std::string reply_reader::clean(std::string_view text) const
{
    std::string whole{text};
    redact(whole, secrets_);
    return whole;
}

std::string reply_reader::quote(std::string_view text) const
{
    return base::one_line(clean(text), shown_bytes);
}

attempt_failure reply_reader::transport_failure(const exchange_end& end) const
{
    const auto& why = end.how.error();
    if (why.is(errc::timed_out))
        return fail(kind::connection, "timeout", why.text);
    if (why.is(errc::bad_http))
        return fail(kind::malformed, "protocol_error", why.text);
    return fail(kind::connection, "connection_lost",
        end.any_byte ? "the reply was cut off: " + why.text : "no reply: " + why.text);
}

attempt_failure reply_reader::status_failure() const
{
    // What it means is in the bytes as they came, what people read in those without a secret.
    const auto told = messages::decode_error(kept_);
    const auto shown = messages::decode_error(clean(kept_));
    std::string text = fmt::format("HTTP {}", head_.status);
    if (head_.status / 100 == 3)
        text += fmt::format(": redirects are not followed (to {})", quote(head_.field("location")));
    else if (!shown.message.empty())
        text += ": " + shown.message;
    attempt_failure failed = fail(kind::http, error_type(head_.status, told.type), std::move(text));
    failed.told.status = head_.status;
    if (failed.told.request_id.empty())
        failed.told.request_id = quote(told.request_id);
    if (!failed.told.request_id.empty())
        failed.told.message += fmt::format(" (request {})", failed.told.request_id);
    failed.told.too_long = is_too_long(head_.status, failed.told.type, told);
    failed.bad_thinking = is_bad_thinking(head_.status, told.message);
    failed.code = told.code;
    if (!told.code.empty())
        failed.told.message += fmt::format(" [{}]", quote(told.code));
    const auto wish = head_.field("x-should-retry");
    if (wish == "true" || wish == "false")
        failed.should_retry = wish == "true";
    failed.retry_after = parse_retry_after(
        head_.field("retry-after-ms"), head_.field("retry-after"), base::wall_now());
    return failed;
}

attempt_failure reply_reader::foreign_failure() const
{
    const auto encoding = head_.field("content-encoding");
    std::string text = encoding.empty()
        ? fmt::format("unexpected content-type \"{}\" with status {}: {}",
              quote(head_.field("content-type")), head_.status, quote(kept_))
        : fmt::format("the reply's content-encoding {} was not asked for", quote(encoding));
    attempt_failure failed = fail(kind::useless, "protocol_error", std::move(text));
    failed.told.status = head_.status;
    return failed;
}

} // namespace agentd::model::anthropic
