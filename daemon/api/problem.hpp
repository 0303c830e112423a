// Errors as clients see them: one table from each layer's condition to a status and a type of
// problem (RFC 9457). The types are the closed list of proto/openapi.yaml. Pure; any thread.
#pragma once

#include "api/response.hpp"
#include "base/error.hpp"
#include "proto/api/json.hpp"

#include <string>
#include <string_view>

namespace agentd::api {

// A type of problem: its name in `urn:agentd:problem:NAME`, its status, its title.
struct problem_type {
    std::string_view name;
    int status;
    std::string_view title;
};

namespace problems {
// Those that no layer's error stands for.
inline constexpr problem_type forbidden{"forbidden", 403, "This daemon does not serve you"};
inline constexpr problem_type from_job{"from_job", 403, "Jobs may not use the daemon's socket"};
inline constexpr problem_type unknown_path{"unknown_path", 404, "There is no such path"};
inline constexpr problem_type method_not_allowed{
    "method_not_allowed", 405, "The path has no such method"};
inline constexpr problem_type internal{"internal", 500, "The daemon has failed"};
inline constexpr problem_type draining{"draining", 503, "The daemon is stopping"};
inline constexpr problem_type too_many_connections{
    "too_many_connections", 503, "Too many connections"};
} // namespace problems

// What stands for a layer's error; `internal` for one that clients should never see.
[[nodiscard]] problem_type type_of(const base::error& why);

[[nodiscard]] response problem_response(
    const problem_type& type, std::string detail, const std::string& request_id);
// The response for an error, with the members that its type has besides (field, candidates).
[[nodiscard]] response problem_response(const base::error& why, const std::string& request_id);
[[nodiscard]] response problem_response(const proto::api::problem& what);

} // namespace agentd::api
