#include "model/anthropic/messages_client.hpp"

#include "model/anthropic/asking.hpp"
#include "model/anthropic/side_call.hpp"

#include <utility>

namespace agentd::model::anthropic {

messages_client::messages_client(aio::executor io, options what)
    : io_(std::move(io)), origin_(origin::make(io_, std::move(what)))
{}

std::shared_ptr<origin> messages_client::current() const
{
    const std::lock_guard guard{swapping_};
    return origin_;
}

void messages_client::reload(const options& fresh)
{
    auto next = origin::make(io_, fresh);
    const std::lock_guard guard{swapping_};
    origin_.swap(next);
}

std::string messages_client::degraded() const
{
    const auto now = current();
    if (now->credential_is_refused())
        return "the model's server refused the credential (401)";
    return now->fault();
}

aio::awaitable<outcome> messages_client::ask(request what, progress& told)
{
    auto at = current();
    if (!at->fault().empty())
        co_return std::unexpected(failure{
            .type = at->fault_type(), .message = at->fault(), .status = {}, .request_id = {}});
    asking one{std::move(at), std::move(what), told};
    co_return co_await one.run();
}

aio::awaitable<std::optional<std::int64_t>> messages_client::input_limit(std::string model)
{
    auto at = current();
    if (!at->fault().empty() || at->credential_is_refused())
        co_return std::nullopt;
    co_return co_await input_limit_of(std::move(at), std::move(model));
}

} // namespace agentd::model::anthropic
