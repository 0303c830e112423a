// How values stand in columns. The numbers of states are part of the schema: a new state gets
// a new number, an old one keeps its own. On the store's threads.
#pragma once

#include "proto/api/types.hpp"
#include "store/connection.hpp"

#include <map>
#include <string>
#include <string_view>
#include <type_traits>

namespace agentd::store {

static_assert(static_cast<int>(proto::api::task_state::queued) == 0 &&
    static_cast<int>(proto::api::task_state::running) == 1 &&
    static_cast<int>(proto::api::task_state::waiting) == 2 &&
    static_cast<int>(proto::api::task_state::succeeded) == 3 &&
    static_cast<int>(proto::api::task_state::failed) == 4 &&
    static_cast<int>(proto::api::task_state::cancelled) == 5);
static_assert(static_cast<int>(proto::api::session_state::idle) == 0 &&
    static_cast<int>(proto::api::session_state::running) == 1 &&
    static_cast<int>(proto::api::session_state::waiting) == 2);
static_assert(static_cast<int>(proto::api::job_state::queued) == 0 &&
    static_cast<int>(proto::api::job_state::running) == 1 &&
    static_cast<int>(proto::api::job_state::completed) == 2 &&
    static_cast<int>(proto::api::job_state::timeout) == 3 &&
    static_cast<int>(proto::api::job_state::killed) == 4 &&
    static_cast<int>(proto::api::job_state::error) == 5 &&
    static_cast<int>(proto::api::job_state::lost) == 6);
static_assert(static_cast<int>(proto::api::jobs_at_end::wait) == 0 &&
    static_cast<int>(proto::api::jobs_at_end::detach) == 1 &&
    static_cast<int>(proto::api::jobs_at_end::kill) == 2);

template <class Enum>
    requires std::is_enum_v<Enum>
[[nodiscard]] constexpr std::int64_t number_of(Enum value)
{
    return static_cast<std::int64_t>(value);
}

template <class Enum>
    requires std::is_enum_v<Enum>
[[nodiscard]] Enum enum_of(std::int64_t number)
{
    return static_cast<Enum>(number);
}

// Labels and environments, as JSON objects of strings.
[[nodiscard]] std::string encode_map(const std::map<std::string, std::string>& pairs);
[[nodiscard]] std::map<std::string, std::string> decode_map(std::string_view json);

// Four columns in the order of the tables: input, output, cache_read, cache_write.
void bind_usage(statement& to, const proto::api::usage& used);
[[nodiscard]] proto::api::usage usage_at(const statement& row, int column);

// Ids as they are asked for: a prefix, of one owner or anybody's; in alphabetical order.
// `table` is a constant of the code.
[[nodiscard]] std::vector<std::string> ids_with_prefix(connection& db, std::string_view table,
    std::string_view prefix, std::optional<std::uint32_t> owner_uid, std::size_t limit);

// The place in its list of the thing with this id, also of a removed one: a page after it has
// smaller n. nullopt: there never was one.
[[nodiscard]] std::optional<std::int64_t> place_of(
    connection& db, std::string_view table, std::string_view id);
// True if something that was deleted had the id.
[[nodiscard]] bool was_removed(connection& db, std::string_view id);

} // namespace agentd::store
