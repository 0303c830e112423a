#include "session/context_window.hpp"

#include "base/limits.hpp"

#include <algorithm>
#include <utility>

namespace agentd::session {
namespace {

std::int64_t tokens_of(std::size_t bytes)
{
    return static_cast<std::int64_t>(bytes) / limits::bytes_per_token;
}

} // namespace

// Room for the reply is kept free, too: what would not fit is cut by the server. Where
// max_tokens is as large as the window itself, half of the wanted share has to do.
std::int64_t context_window::limit() const
{
    const auto wanted =
        static_cast<std::int64_t>(static_cast<double>(rules_.tokens) * rules_.compact_at);
    const auto room = rules_.tokens - rules_.reply_tokens;
    return room >= wanted ? wanted : std::max(room, wanted / 2);
}

std::int64_t context_window::filled(std::size_t fresh, std::size_t all) const
{
    return known_ > 0 ? known_ + tokens_of(fresh) : tokens_of(all);
}

bool context_window::has_room_for(std::size_t all) const
{
    return tokens_of(all) < limit();
}

bool context_window::gave_up() const
{
    return failures_ >= limits::compaction_failures;
}

bool context_window::is_last_try() const
{
    return failures_ + 1 >= limits::compaction_failures;
}

context_window::need context_window::look(
    std::size_t fresh, std::size_t all, std::size_t untold) const
{
    if (rules_.compact_at <= 0 || gave_up())
        return need::nothing;
    if (overflowed_)
        return need::digest;
    const auto now = filled(fresh, all);
    if (now + tokens_of(untold) < limit())
        return need::nothing;
    // After a refusal, or a call of tools where a text was wanted, the other form is tried.
    const bool fits = now + 2 * limits::summary_tokens <= rules_.tokens;
    return fits && failures_ == 0 ? need::summary : need::digest;
}

std::int64_t context_window::summary_tokens(std::size_t fresh, std::size_t all) const
{
    return room_behind(filled(fresh, all));
}

std::int64_t context_window::summary_tokens(std::size_t bytes) const
{
    return room_behind(tokens_of(bytes));
}

std::int64_t context_window::room_behind(std::int64_t tokens) const
{
    const auto left = rules_.tokens - tokens - limits::summary_tokens;
    return std::min(rules_.reply_tokens, std::max(left, limits::summary_tokens));
}

std::size_t context_window::digest_bytes() const
{
    // Half of the window at the estimate's rate, which errs on the safe side.
    const auto bytes = rules_.tokens / 2 * limits::bytes_per_token;
    return static_cast<std::size_t>(bytes) >> failures_;
}

void context_window::replied(const model::usage& used, model::stop_reason stop)
{
    const auto input = used.input + used.cache_read + used.cache_write;
    known_ = input > 0 ? input + used.output : 0; // else the server does not count
    overflowed_ = stop == model::stop_reason::context_window_exceeded;
    if (!unproven_)
        return;
    unproven_ = false;
    // Too long again at once: what was done was of no use.
    failures_ = overflowed_ || known_ >= limit() ? failures_ + 1 : 0;
}

void context_window::overflowed()
{
    overflowed_ = true;
    if (std::exchange(unproven_, false)) // too long again at once, as in replied
        ++failures_;
}

void context_window::compacted()
{
    known_ = 0;
    overflowed_ = false;
    unproven_ = true;
}

} // namespace agentd::session
