#include "app/online.hpp"

#include "aio/task_group.hpp"
#include "app/settings.hpp"
#include "model/online_check.hpp"
#include "session/system_prompt.hpp"
#include "tools/tool.hpp"

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace agentd::app {
namespace {

using answer = base::result<std::string>;

aio::awaitable<> ask(
    aio::executor io, model::options with, model::online_question what, std::optional<answer>& into)
{
    auto got = co_await model::check_online(io, std::move(with), std::move(what));
    into.emplace(std::move(got));
}

// What a first request to this server would have in it.
model::online_question question_of(const config& all)
{
    const auto shared = [](std::string text) {
        return std::make_shared<const std::string>(std::move(text));
    };
    model::online_question out;
    out.models.push_back(all.model.name);
    for (const auto& other : all.model.fallback)
        if (std::ranges::find(out.models, other) == out.models.end())
            out.models.push_back(other);
    out.system = shared(session::system_prompt("/", ""));
    out.tools = shared(tools::registry{}.definitions());
    return out;
}

} // namespace

base::result<std::string> ask_online(const startup& from, const base::result<credential>& found)
{
    boost::asio::io_context io{1};
    const auto strand = aio::make_strand(io.get_executor());
    std::optional<answer> got;
    aio::task asking{strand};
    asking.start("online check",
        ask(strand, model_options(from.config, found), question_of(from.config), got));
    io.run();
    if (!got)
        return std::unexpected(
            base::error{errc::bad_config, "the check ended without an answer: see the log"});
    return std::move(*got);
}

} // namespace agentd::app
