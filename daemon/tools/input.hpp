// Reading a tool's input as strictly as its schema says. Errors are made for the model and
// name the field: `field "timeout_s": must be between 1 and 600`. Pure; any thread.
#pragma once

#include "base/error.hpp"
#include "jobs/command.hpp"
#include "proto/json/reader.hpp"

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace agentd::jobs {
class foreground;
}

namespace agentd::tools {

class policy;

// The input as an object that has no other fields than `names`.
[[nodiscard]] base::result<proto::json::object> read_input(
    std::string_view json, std::initializer_list<std::string_view> names);

// "command": a command that can be run and that the policy allows.
[[nodiscard]] base::result<std::string> read_command(
    const proto::json::object& input, const policy& allowed);
// "path": a path that can be given to the kernel.
[[nodiscard]] base::result<std::string> read_path(const proto::json::object& input);
// "timeout_s"; `fallback` when absent.
[[nodiscard]] base::result<std::chrono::seconds> read_timeout(const proto::json::object& input,
    std::chrono::seconds fallback, std::chrono::seconds least, std::chrono::seconds most);

// "cpu_s", "memory_bytes", "processes", "max_output_bytes" and "file_bytes"; those that `by`
// could not hold the command to are refused.
[[nodiscard]] base::result<jobs::bounds> read_bounds(
    const proto::json::object& input, const jobs::foreground& by);

} // namespace agentd::tools
