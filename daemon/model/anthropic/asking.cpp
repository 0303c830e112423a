#include "model/anthropic/asking.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "model/anthropic/failures.hpp"
#include "model/anthropic/reply_reader.hpp"
#include "model/anthropic/request_head.hpp"
#include "model/anthropic/thinking.hpp"
#include "model/jitter.hpp"
#include "model/redact.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace agentd::model::anthropic {
namespace {

constexpr std::size_t shown_chars = 200; // of an oddity that a server has named

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
        co_return std::unexpected(own_limit_failure(body_->size()));
    for (;;) {
        auto tried = co_await attempt();
        if (tried && tried->stop == stop_reason::refusal) {
            failure why;
            why.type = "refusal";
            why.message = tried->refusal_explanation;
            why.request_id = tried->request_id;
            const billed paid{tried->model.empty() ? model_ : tried->model, tried->usage};
            if (fall_back(why)) {
                discarded_.push_back(paid);
                continue;
            }
        }
        if (tried) {
            finish(*tried);
            co_return std::move(*tried);
        }
        const bool goes_on = co_await recover(tried.error());
        if (!goes_on)
            co_return std::unexpected(finish(std::move(tried.error().told)));
    }
}

void asking::finish(reply& made)
{
    made.attempts = sent_;
    if (made.model.empty())
        made.model = model_;
    made.discarded = std::move(discarded_);
    made.without_thinking = without_thinking_;
}

failure asking::finish(failure why)
{
    why.attempts = sent_;
    why.discarded = std::move(discarded_);
    return shown(std::move(why));
}

failure asking::shown(failure why) const
{
    for (auto* text : {&why.type, &why.message, &why.request_id})
        redact(*text, at_->secrets());
    return why;
}

aio::awaitable<bool> asking::recover(attempt_failure& why)
{
    if (is_bad_credential(why))
        at_->credential_was_refused();
    overloads_ = is_overload(why) ? overloads_ + 1 : 0;
    const auto next = policy_.on_failure(why, base::mono_now(), random_share());
    if (drop_thinking(why))
        co_return true;
    const auto* again = std::get_if<retry_policy::again>(&next);
    const bool had_enough = again == nullptr || overloads_ >= limits::overloads_before_fallback;
    const bool may_fall_back = is_overload(why) && had_enough;
    if (again != nullptr && !may_fall_back)
        co_return co_await back_off(why, again->delay);
    if (const auto hold = hold_of_others(why, {}))
        origin::hold_until(at_, model_, base::mono_now() + *hold);
    if (may_fall_back && fall_back(why.told))
        co_return true;
    if (again != nullptr)
        co_return co_await back_off(why, again->delay);
    const auto& reason = std::get<retry_policy::give_up>(next).why;
    if (!reason.empty())
        why.told.message += "; " + reason;
    co_return false;
}

aio::awaitable<bool> asking::back_off(attempt_failure& why, std::chrono::milliseconds delay)
{
    if (const auto hold = hold_of_others(why, delay)) {
        const auto place = co_await at_->line_up(model_, *hold);
        delay = std::max(delay, place);
    }
    probe_.reset(); // not over the pause: the others can go as far as the hold lets them
    if (const auto left = policy_.left(base::mono_now()); delay > left) {
        why.told.message += "; " + too_long_to_wait(delay, left);
        co_return false;
    }
    told_.on_retry(sent_, shown(why.told), delay);
    co_await aio::sleep_for(delay);
    co_return true;
}

std::optional<std::chrono::milliseconds> asking::hold_of_others(
    const attempt_failure& why, std::optional<std::chrono::milliseconds> delay) const
{
    if (is_overload(why) && next_fallback() != at_->configured().fallback.size())
        return std::nullopt;
    return hold_for(why, delay);
}

std::size_t asking::next_fallback() const
{
    const auto& others = at_->configured().fallback;
    std::size_t next = next_fallback_;
    while (next < others.size() && others[next] == model_)
        ++next;
    return next;
}

bool asking::fall_back(const failure& why)
{
    const auto& others = at_->configured().fallback;
    const auto next = next_fallback();
    if (next == others.size())
        return false;
    const std::string from = std::exchange(model_, others[next]);
    next_fallback_ = next + 1;
    overloads_ = 0;
    policy_.start_backoff_anew();
    encode();
    told_.on_fallback(from, model_, shown(why));
    return true;
}

bool asking::drop_thinking(const attempt_failure& why)
{
    using namespace std::chrono_literals;
    if (without_thinking_ || !why.bad_thinking || policy_.left(base::mono_now()) == 0ms)
        return false;
    auto rest = without_thinking(what_.messages);
    if (!rest)
        return false;
    without_thinking_ = true; // once: what the server then says is final
    what_.messages = std::move(*rest);
    encode();
    told_.on_retry(sent_, shown(why.told), 0ms);
    return true;
}

aio::awaitable<std::expected<asking::let_in, attempt_failure>> asking::pass_gate()
{
    bool is_told = false;
    for (;;) {
        if (at_->credential_is_refused())
            co_return std::unexpected(refused_before());
        auto now = co_await at_->enter(model_);
        let_in in;
        in.used = std::move(now.used);
        in.is_probe = now.is_probe;
        if (now.wait.count() == 0)
            co_return std::move(in);
        const auto why = limit_of_others();
        if (const auto left = policy_.left(base::mono_now()); now.wait > left) {
            auto failed = why;
            failed.told.message += "; " + too_long_to_wait(now.wait, left);
            co_return std::unexpected(std::move(failed));
        }
        if (!std::exchange(is_told, true))
            told_.on_retry(sent_, why.told, now.wait);
        co_await aio::sleep_for(now.wait);
    }
}

aio::awaitable<asking::attempt_result> asking::attempt()
{
    probe_.reset(); // else it would wait for itself
    auto passed = co_await pass_gate();
    if (!passed)
        co_return std::unexpected(std::move(passed.error()));
    probe_.emplace(at_, model_, passed->is_probe);
    co_return co_await send_over(std::move(passed->used));
}

aio::awaitable<asking::attempt_result> asking::send_over(connection_ptr over)
{
    ++sent_;
    for (;;) {
        const bool was_pooled = over != nullptr;
        if (!was_pooled) {
            auto opened = co_await at_->connect();
            if (!opened)
                co_return std::unexpected(connect_failure(opened.error()));
            over = std::move(*opened);
        }
        reply_reader reader{told_, sent_, at_->secrets()};
        shown_head into{*probe_, reader};
        auto end = co_await exchange(*over, slices_, into, at_->configured().limits);
        if (was_pooled && is_stale(end)) {
            over = nullptr; // a fresh connection: this can happen once
            continue;
        }
        if (end.reusable)
            origin::give_back(at_, std::move(over));
        for (auto remark : reader.remarks()) {
            redact(remark, at_->secrets());
            log::debug("model.odd_reply", {}, "{}", base::one_line(remark, shown_chars));
        }
        auto made = reader.result(end);
        if (made) {
            redact(made->refusal_explanation, at_->secrets());
            // What was asked for is no quotation, and has its price by its name.
            if (made->model != model_)
                redact(made->model, at_->secrets());
        }
        co_return made;
    }
}

} // namespace agentd::model::anthropic
