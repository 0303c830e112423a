#include "model/online_check.hpp"

#include "aio/deadline.hpp"
#include "base/limits.hpp"
#include "model/anthropic/online_questions.hpp"
#include "model/origin.hpp"

#include <utility>

namespace agentd::model {

aio::awaitable<base::result<std::string>> check_online(
    aio::executor io, options with, online_question what)
{
    const auto at = origin::make(io, std::move(with));
    anthropic::online_questions questions{at, std::move(what)};
    auto asking = questions.ask();
    co_return co_await aio::with_deadline(std::move(asking), limits::online_check_deadline);
}

} // namespace agentd::model
