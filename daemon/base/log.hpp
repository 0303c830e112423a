// Structured logs: one record a line, JSON on stderr or in a file, native fields under the
// journal. A record has the event's name, a sentence, the ids of what it is about, figures.
// Never keys, headers, command output, prompt or tool text above debug. Any thread.
#pragma once

#include "base/clock.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace agentd::log {

// error: a person must act; warning: we coped; info: life-cycle; debug: the rest.
enum class level { debug, info, warning, error };

// What a record is about, so that `journalctl` or jq can follow one thing; empty: not said.
struct scope {
    std::string_view session_id{};
    std::string_view task_id{};
    std::string_view job_id{};
};

using value = std::variant<std::int64_t, double, std::string_view>;
using field = std::pair<std::string_view, value>;

// One record on its way out; views live for the call alone.
struct record {
    level severity;
    base::wall_time time;
    std::string_view event;
    std::string_view message;
    scope about;
    std::span<const field> figures;
};

// Where records go. `write` is called from any thread, one call at a time.
class backend {
public:
    virtual ~backend() = default;
    virtual void write(const record& what) = 0;
    // Opens the file anew after a rotation (SIGHUP); nothing for other outputs.
    virtual void reopen() {}
};

// JSON lines to stderr (empty path) or appended to a file (0600). A file that cannot be
// opened: records go to stderr, with one that says so.
[[nodiscard]] std::unique_ptr<backend> json_lines(const std::string& path);

void set_backend(std::unique_ptr<backend> output);
void set_level(level lowest);
[[nodiscard]] bool enabled(level severity);
void reopen();

// One record as a JSON object without a line end: ts level event msg, ids, figures.
[[nodiscard]] std::string to_json(const record& what);

void write(level severity, std::string_view event, const scope& about, std::string_view message,
    std::initializer_list<field> figures = {});

template <class... Args>
void debug(
    std::string_view event, const scope& about, fmt::format_string<Args...> format, Args&&... args)
{
    if (enabled(level::debug))
        write(level::debug, event, about, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void info(
    std::string_view event, const scope& about, fmt::format_string<Args...> format, Args&&... args)
{
    write(level::info, event, about, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void warning(
    std::string_view event, const scope& about, fmt::format_string<Args...> format, Args&&... args)
{
    write(level::warning, event, about, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void error(
    std::string_view event, const scope& about, fmt::format_string<Args...> format, Args&&... args)
{
    write(level::error, event, about, fmt::format(format, std::forward<Args>(args)...));
}

} // namespace agentd::log
