#include "model/anthropic/asking.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "model/anthropic/failures.hpp"
#include "model/anthropic/reply_reader.hpp"
#include "model/anthropic/request_head.hpp"
#include "model/redact.hpp"

#include <fmt/format.h>

#include <random>
#include <utility>

namespace agentd::model::anthropic {
namespace {

using kind = attempt_failure::kind;

// For jitter alone.
double random_share()
{
    thread_local std::minstd_rand generator{std::random_device{}()};
    return std::uniform_real_distribution<double>{0, 1}(generator);
}

} // namespace

asking::asking(std::shared_ptr<origin> at, request what, progress& told)
    : at_(std::move(at)),
      what_(std::move(what)),
      told_(told),
      policy_(at_->configured().retry_for, at_->configured().retry_attempts, base::mono_now()),
      model_(what_.model)
{
    if (what_.max_tokens == 0)
        what_.max_tokens = at_->configured().max_tokens;
    encode();
}

// History is not encoded again, for no attempt and no other model: only the slices change.
void asking::encode()
{
    proto::messages::body_parts parts{
        .model = model_, .max_tokens = what_.max_tokens, .system = {}, .tools = {}, .messages = {}};
    if (what_.system)
        parts.system = *what_.system;
    if (what_.tools)
        parts.tools = *what_.tools;
    parts.messages.reserve(what_.messages.size());
    for (const auto& message : what_.messages)
        parts.messages.emplace_back(*message);
    body_.emplace(parts);
    request_line line;
    line.body_bytes = body_->size();
    head_ = request_head(at_->address(), at_->configured(), line);
    slices_.assign(1, head_);
    slices_.insert(slices_.end(), body_->slices().begin(), body_->slices().end());
}

aio::awaitable<outcome> asking::run()
{
    if (body_->size() > limits::request_bytes)
        co_return std::unexpected(failure{.type = "request_too_large",
            .message = fmt::format(
                "the request has {} bytes, the API takes {}", body_->size(), limits::request_bytes),
            .status = {},
            .request_id = {}});
    for (;;) {
        auto tried = co_await attempt();
        if (tried && tried->stop == stop_reason::refusal) {
            const failure why{.type = "refusal",
                .message = tried->refusal_explanation,
                .status = {},
                .request_id = tried->request_id};
            if (fall_back(why))
                continue;
        }
        if (tried) {
            tried->attempts = policy_.failed() + 1;
            if (tried->model.empty())
                tried->model = model_;
            co_return std::move(*tried);
        }
        const bool goes_on = co_await recover(tried.error());
        if (goes_on)
            continue;
        tried.error().told.attempts = policy_.failed();
        co_return std::unexpected(std::move(tried.error().told));
    }
}

aio::awaitable<bool> asking::recover(attempt_failure& why)
{
    for (auto* text : {&why.told.type, &why.told.message, &why.told.request_id})
        redact(*text, at_->configured().key.value);
    note(why);
    overloads_ = is_overload(why) ? overloads_ + 1 : 0;
    auto next = policy_.on_failure(why, base::mono_now(), random_share());
    const auto* again = std::get_if<retry_policy::again>(&next);
    const bool had_enough = again == nullptr || overloads_ >= limits::overloads_before_fallback;
    if (is_overload(why) && had_enough && fall_back(why.told))
        co_return true;
    if (again == nullptr) {
        const auto& reason = std::get<retry_policy::give_up>(next).why;
        if (!reason.empty())
            why.told.message += "; " + reason;
        co_return false;
    }
    told_.on_retry(policy_.failed(), why.told, again->delay);
    co_await aio::sleep_for(again->delay);
    co_return true;
}

bool asking::fall_back(const failure& why)
{
    const auto& others = at_->configured().fallback;
    while (next_fallback_ < others.size() && others[next_fallback_] == model_)
        ++next_fallback_;
    if (next_fallback_ >= others.size())
        return false;
    const std::string from = std::exchange(model_, others[next_fallback_++]);
    overloads_ = 0;
    policy_.start_backoff_anew();
    encode();
    told_.on_fallback(from, model_, why);
    return true;
}

// What others have to know of it.
void asking::note(const attempt_failure& why)
{
    // An overload is one model's: it must not hold back what goes to a fallback.
    if (why.told.status == 429 && why.retry_after)
        origin::hold_until(at_, base::mono_now() + *why.retry_after);
    if (is_bad_credential(why))
        at_->credential_was(false);
}

aio::awaitable<std::expected<connection_ptr, attempt_failure>> asking::pass_gate()
{
    for (bool waited = false;; waited = true) {
        auto now = co_await at_->enter(waited);
        if (now.wait.count() == 0)
            co_return std::move(now.used);
        if (now.wait > policy_.left(base::mono_now())) {
            attempt_failure failed;
            failed.what = kind::useless; // nothing to be gained by asking again
            failed.told.type = "rate_limit_error";
            failed.told.message = fmt::format(
                "the server asked to wait {:.1f} s, which is beyond what is left for retries",
                static_cast<double>(now.wait.count()) / 1000);
            co_return std::unexpected(std::move(failed));
        }
        co_await aio::sleep_for(now.wait);
    }
}

aio::awaitable<asking::attempt_result> asking::attempt()
{
    auto passed = co_await pass_gate();
    if (!passed)
        co_return std::unexpected(std::move(passed.error()));
    co_return co_await send_over(std::move(*passed));
}

aio::awaitable<asking::attempt_result> asking::send_over(connection_ptr over)
{
    const bool was_pooled = over != nullptr;
    if (!was_pooled) {
        auto opened = co_await at_->connect();
        if (!opened)
            co_return std::unexpected(connect_failure(opened.error()));
        over = std::move(*opened);
    }
    reply_reader reader{told_, policy_.failed() + 1};
    auto end = co_await exchange(*over, slices_, reader, at_->configured().limits);
    if (was_pooled && is_stale(end))
        co_return co_await send_over(nullptr);
    if (end.reusable)
        origin::give_back(at_, std::move(over));
    for (auto remark : reader.remarks()) {
        redact(remark, at_->configured().key.value);
        log::debug("model.odd_reply", {}, "{}", remark);
    }
    auto made = reader.result(end);
    if (made) {
        at_->credential_was(true);
        for (auto* text : {&made->request_id, &made->model, &made->refusal_explanation})
            redact(*text, at_->configured().key.value);
    }
    co_return made;
}

} // namespace agentd::model::anthropic
