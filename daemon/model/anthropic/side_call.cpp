#include "model/anthropic/side_call.hpp"

#include "aio/deadline.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "model/anthropic/failures.hpp"
#include "model/anthropic/request_head.hpp"
#include "model/error.hpp"
#include "model/exchange.hpp"
#include "model/redact.hpp"
#include "proto/json/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace agentd::model::anthropic {
namespace {

// Keeps a reply as it is.
class keeper final : public reply_taker {
public:
    void on_head(const reply_head& head) override
    {
        const auto type = head.field("content-type");
        got.status = head.status;
        got.type = base::strip(type.substr(0, type.find(';')));
        got.request_id = head.field("request-id");
    }
    bool on_body(std::string_view piece) override
    {
        too_large = got.body.size() + piece.size() > limits::side_reply_bytes;
        if (!too_large)
            got.body += piece;
        return !too_large;
    }

    side_reply got;
    bool too_large = false;
};

deadlines short_ones(const deadlines& configured)
{
    auto all = configured;
    const std::chrono::milliseconds most = limits::side_call_deadline;
    for (auto* one : {&all.send, &all.first_byte, &all.idle})
        *one = std::min(*one, most);
    all.total = most;
    return all;
}

aio::awaitable<base::result<connection_ptr>> connect_soon(std::shared_ptr<origin> to)
{
    auto connecting = to->connect();
    auto opened = co_await aio::with_deadline(std::move(connecting), limits::side_call_deadline);
    if (!opened && opened.error().is(aio::errc::timed_out))
        co_return std::unexpected(
            base::error{errc::timed_out, "connecting: " + opened.error().text});
    co_return opened;
}

// Tells the origin that nobody asks any more, unless it was told what came of it.
class asked_for {
public:
    asked_for(std::shared_ptr<origin> at, std::string model)
        : at_(std::move(at)), model_(std::move(model))
    {}
    asked_for(const asked_for&) = delete;
    asked_for& operator=(const asked_for&) = delete;
    ~asked_for()
    {
        if (at_)
            origin::limit_is_not_asked_for(at_, model_);
    }
    void learnt(std::optional<std::int64_t> limit, bool for_good)
    {
        origin::limit_is(std::exchange(at_, nullptr), model_, limit, for_good);
    }

private:
    std::shared_ptr<origin> at_;
    std::string model_;
};

std::optional<std::int64_t> limit_in(const std::string& body)
{
    const auto model = proto::json::parse_object(body);
    if (!model)
        return std::nullopt;
    const auto* tokens = model->find("max_input_tokens");
    const auto number = tokens == nullptr ? std::nullopt : tokens->as_integer();
    return number && *number > 0 ? number : std::nullopt;
}

} // namespace

aio::awaitable<std::expected<side_reply, failure>> side_call(
    std::shared_ptr<origin> at, side_question what)
{
    request_line line{.method = what.method, .path = what.path, .body_bytes = {}};
    if (!what.body.empty())
        line.body_bytes = what.body.size();
    const std::string head = request_head(at->address(), at->configured(), line);
    const std::array<std::string_view, 2> slices{head, what.body};
    const auto limit = short_ones(at->configured().limits);
    auto over = co_await at->unused_connection();
    for (;;) {
        const bool was_pooled = over != nullptr;
        if (!was_pooled) {
            auto opened = co_await connect_soon(at);
            if (!opened)
                co_return std::unexpected(connect_failure(opened.error()).told);
            over = std::move(*opened);
        }
        keeper reply;
        const auto end = co_await exchange(*over, slices, reply, limit);
        // A connection that the server gave up meanwhile, as in asking::send_over.
        if (was_pooled && is_stale(end)) {
            over = nullptr;
            continue;
        }
        if (end.reusable)
            origin::give_back(at, std::move(over));
        failure lost;
        lost.request_id = reply.got.request_id;
        redact(lost.request_id, at->secrets());
        if (reply.too_large) {
            lost.type = "protocol_error";
            lost.message = fmt::format("the reply to {} is too large", what.path);
            co_return std::unexpected(std::move(lost));
        }
        if (!end.how) {
            lost.type = end.how.error().is(errc::timed_out) ? "timeout" : "connection_lost";
            lost.message = end.how.error().text;
            co_return std::unexpected(std::move(lost));
        }
        co_return std::move(reply.got);
    }
}

std::string path_segment(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            (c >= '0' && c <= '9') || std::string_view{"-._~"}.contains(c);
        if (plain)
            out += c;
        else
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

aio::awaitable<std::optional<std::int64_t>> input_limit_of(
    std::shared_ptr<origin> at, std::string model)
{
    const auto ticket = co_await at->look_up_limit(model);
    if (!ticket.ask)
        co_return ticket.limit;
    asked_for open{at, model};
    side_question question;
    question.path = "/v1/models/" + path_segment(model);
    const auto got = co_await side_call(at, std::move(question));
    // What is no answer to the question (429, 5xx, no connection) may be one a minute later.
    const bool answered = got && (got->is_ok() || got->is_unsupported());
    const auto limit = answered && got->is_ok() ? limit_in(got->body) : std::nullopt;
    open.learnt(limit, answered);
    co_return limit;
}

} // namespace agentd::model::anthropic
