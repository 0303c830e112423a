// The names of things: tasks (t_...), sessions (s_...) and jobs (8 hex digits).
// Each is a type of its own, so that one cannot be passed for another. Any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace agentd::base {

// A string that names one kind of thing. Empty means "none".
template <class Tag>
class id {
public:
    id() = default;
    explicit id(std::string value) : value_(std::move(value)) {}

    [[nodiscard]] const std::string& str() const { return value_; }
    [[nodiscard]] bool empty() const { return value_.empty(); }
    auto operator<=>(const id&) const = default;

private:
    std::string value_;
};

using task_id = id<struct task_tag>;
using session_id = id<struct session_tag>;
using job_id = id<struct job_tag>;

// The number of an event; gapless from 1, 0 means "before all".
using event_seq = std::uint64_t;

// New random ids. Whether one is already taken is the store's to say.
[[nodiscard]] task_id new_task_id();
[[nodiscard]] session_id new_session_id();
[[nodiscard]] job_id new_job_id();

// `digits` random characters of a-z2-7 / of 0-9a-f, from getrandom(2).
[[nodiscard]] std::string random_base32(std::size_t digits);
[[nodiscard]] std::string random_hex(std::size_t digits);

} // namespace agentd::base

template <class Tag>
struct std::hash<agentd::base::id<Tag>> {
    std::size_t operator()(const agentd::base::id<Tag>& id) const noexcept
    {
        return std::hash<std::string>{}(id.str());
    }
};
