#include "tools/input.hpp"

#include "base/bound_limits.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "jobs/foreground.hpp"
#include "tools/error.hpp"
#include "tools/policy.hpp"

#include <fmt/format.h>

namespace agentd::tools {

base::result<proto::json::object> read_input(
    std::string_view json, std::initializer_list<std::string_view> names)
{
    auto input = proto::json::parse_object(json);
    if (!input)
        return std::unexpected(
            base::error{errc::bad_input, "the input is no JSON object: " + input.error().text});
    if (auto known = input->allow_only(names); !known)
        return std::unexpected(std::move(known.error()));
    return input;
}

base::result<std::string> read_command(const proto::json::object& input, const policy& allowed)
{
    auto command = input.string("command");
    if (!command)
        return command;
    if (base::strip(*command).empty())
        return std::unexpected(input.refuse("command", "must not be empty"));
    if (command->find('\0') != std::string::npos)
        return std::unexpected(input.refuse("command", "must not hold a NUL"));
    if (command->size() > limits::command_bytes)
        return std::unexpected(input.refuse("command",
            fmt::format("is longer than {} bytes; write a script file and run that",
                limits::command_bytes)));
    if (!allowed.allows(*command))
        return std::unexpected(base::error{errc::bad_input, "Dangerous command blocked"});
    return command;
}

base::result<std::string> read_path(const proto::json::object& input)
{
    auto path = input.string("path");
    if (!path)
        return path;
    if (path->empty())
        return std::unexpected(input.refuse("path", "must not be empty"));
    if (path->find('\0') != std::string::npos)
        return std::unexpected(input.refuse("path", "must not hold a NUL"));
    return path;
}

base::result<std::chrono::seconds> read_timeout(const proto::json::object& input,
    std::chrono::seconds fallback, std::chrono::seconds least, std::chrono::seconds most)
{
    const auto given = input.optional_integer("timeout_s", least.count(), most.count());
    if (!given)
        return std::unexpected(given.error());
    return *given ? std::chrono::seconds{**given} : fallback;
}

base::result<jobs::bounds> read_bounds(const proto::json::object& input, const jobs::foreground& by)
{
    constexpr std::int64_t longest = std::chrono::seconds{limits::job_timeout_longest}.count();
    jobs::bounds most;
    std::int64_t cpu = 0;
    const struct {
        std::string_view name;
        std::int64_t least, most;
        std::string_view controller; // that is needed for it
        std::int64_t& into;
    } fields[] = {
        {"cpu_s", 1, longest, "", cpu},
        {"memory_bytes", limits::least_memory, limits::most_memory, "memory", most.memory_bytes},
        {"processes", 1, limits::most_processes, "pids", most.processes},
        {"max_output_bytes", 1, limits::most_written, "", most.output_bytes},
        {"file_bytes", 1, limits::most_written, "", most.file_bytes},
    };
    for (const auto& field : fields) {
        const auto given = input.optional_integer(field.name, field.least, field.most);
        if (!given)
            return std::unexpected(given.error());
        // Whoever asks for a bound relies on it: better nothing is run than without it.
        if (*given && !field.controller.empty() && !by.has_controller(field.controller))
            return std::unexpected(input.refuse(field.name,
                fmt::format("cannot be enforced here (no control groups with the controller {}); "
                            "nothing was run, leave it out to run without",
                    field.controller)));
        field.into = given->value_or(0);
    }
    most.cpu = std::chrono::seconds{cpu};
    return most;
}

} // namespace agentd::tools
