// open_work: what replies cost, and which budget that uses up. On the session's strand.
#include "session/commit.hpp"
#include "session/open_work.hpp"

#include <fmt/format.h>

#include <utility>

namespace agentd::session {
namespace {

std::int64_t tokens_of(const proto::api::usage& used)
{
    return used.input + used.output + used.cache_read + used.cache_write;
}

} // namespace

proto::api::usage usage_of(const model::usage& used)
{
    return {used.input, used.output, used.cache_read, used.cache_write};
}

aio::awaitable<> open_work::bill(std::vector<model::billed> what)
{
    if (what.empty())
        co_return;
    model::reply all;
    all.discarded = std::move(what);
    const auto used = usage_of(model::billed_usage(all));
    const auto cost = cost_of_all(all.discarded);
    count(used, cost);
    auto store = [task = task_, used, cost](
                     store::connection& db) { steps::bill(db, task, used, cost); };
    co_await commit(shared_, store::step::complete_reply, std::move(store));
}

void open_work::count(const proto::api::usage& used, double cost)
{
    task_.shown.usage += used;
    task_.shown.cost_usd += cost;
    opened_.session.shown.usage += used;
    opened_.session.shown.cost_usd += cost;
}

double open_work::cost_of_reply(const model::reply& reply) const
{
    return cost_of_model(reply.model, reply.usage) + cost_of_all(reply.discarded);
}

double open_work::cost_of_all(const std::vector<model::billed>& what) const
{
    double cost = 0;
    for (const auto& one : what)
        cost += cost_of_model(one.model, one.used);
    return cost;
}

double open_work::cost_of_model(const std::string& model, const model::usage& used) const
{
    // A fallback has its own price; an alias of the model asked for may have none.
    const auto own = cost_of(*settings_, model, usage_of(used));
    return own ? *own : cost_of(*settings_, task_.shown.model, usage_of(used)).value_or(0);
}

std::string open_work::spent_by(const proto::api::usage& more, double cost) const
{
    auto used = task_.shown.usage;
    used += more;
    const auto tokens = tokens_of(used);
    if (task_.max_tokens_total && tokens >= *task_.max_tokens_total)
        return fmt::format(
            "{} tokens are used of max_tokens_total {}", tokens, *task_.max_tokens_total);
    const auto& session = opened_.session.shown;
    const auto all = tokens_of(session.usage) + tokens_of(more);
    if (settings_->session_tokens != 0 && all >= settings_->session_tokens)
        return fmt::format("the session has used {} tokens of limits.session_tokens {}", all,
            settings_->session_tokens);
    const auto session_usd = session.cost_usd + cost;
    if (settings_->session_budget_usd > 0 && session_usd >= settings_->session_budget_usd)
        return fmt::format("the session has spent {:.4f} USD of limits.session_budget_usd {:.4f}",
            session_usd, settings_->session_budget_usd);
    const auto usd = task_.shown.cost_usd + cost;
    if (task_.budget_usd && usd >= *task_.budget_usd)
        return fmt::format("{:.4f} USD are spent of budget_usd {:.4f}", usd, *task_.budget_usd);
    return {};
}

} // namespace agentd::session
