// The table of tools and the way of a call through it.
#include "base/text.hpp"
#include "tools/background_run.hpp"
#include "tools/bash.hpp"
#include "tools/check_background.hpp"
#include "tools/edit_file.hpp"
#include "tools/read_file.hpp"
#include "tools/stop_background.hpp"
#include "tools/tool.hpp"
#include "tools/wait_background.hpp"
#include "tools/write_background.hpp"
#include "tools/write_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace agentd::tools {

answer ok(std::string text)
{
    return answer{std::move(text), false};
}

answer failed(std::string_view reason)
{
    return answer{fmt::format("Error: {}", reason), true};
}

registry::registry()
{
    tools_.push_back(std::make_unique<bash>());
    tools_.push_back(std::make_unique<read_file>());
    tools_.push_back(std::make_unique<write_file>());
    tools_.push_back(std::make_unique<edit_file>());
    tools_.push_back(std::make_unique<background_run>());
    tools_.push_back(std::make_unique<check_background>());
    tools_.push_back(std::make_unique<wait_background>());
    tools_.push_back(std::make_unique<stop_background>());
    tools_.push_back(std::make_unique<write_background>());
    for (const auto& each : tools_) {
        definitions_ += definitions_.empty() ? "[" : ",";
        definitions_ += each->definition();
    }
    definitions_ += "]";
}

registry::~registry() = default;

const tool* registry::find(std::string_view name) const
{
    const auto found =
        std::ranges::find_if(tools_, [name](const auto& each) { return each->name() == name; });
    return found == tools_.end() ? nullptr : found->get();
}

aio::awaitable<answer> registry::run(call what, context& with) const
{
    const tool* const wanted = find(what.name);
    if (wanted == nullptr) {
        const auto shown = base::defuse_markers(base::one_line(what.name, limits::command_chars));
        co_return failed(fmt::format("Unknown tool: {}", shown));
    }
    answer given = co_await wanted->run(std::move(what), with);
    if (given.text.empty())
        given.text = "(no output)";
    if (given.is_error || !wanted->is_exact())
        given.text = base::defuse_markers(given.text);
    co_return given;
}

} // namespace agentd::tools
