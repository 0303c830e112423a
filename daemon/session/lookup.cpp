#include "session/lookup.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace agentd::session::lookup {
namespace {

constexpr std::size_t shortest_prefix = 4;
constexpr std::size_t candidates_shown = 10;

using prefix_search = std::vector<std::string> (*)(
    store::connection&, std::string_view, std::optional<std::uint32_t>, std::size_t);

base::error not_found(std::string_view kind, const std::string& id)
{
    return {errc::not_found, fmt::format("no {} {}", kind, id)};
}

// The whole id that `id` begins.
base::result<std::string> whole(store::connection& db, const caller& who, std::string_view kind,
    const std::string& id, prefix_search search)
{
    const bool plain =
        id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
    if (id.size() < shortest_prefix || !plain)
        return std::unexpected(base::error{errc::bad_id,
            fmt::format("\"{}\" is no {} id: at least {} characters of one are needed", id, kind,
                shortest_prefix)});
    auto found = search(db, id, who.only(), candidates_shown + 1);
    if (found.empty())
        return std::unexpected(not_found(kind, id));
    if (found.size() == 1)
        return std::move(found.front());
    for (auto& one : found)
        if (one == id)
            return std::move(one);
    found.resize(std::min(found.size(), candidates_shown));
    return std::unexpected(base::error{errc::ambiguous_id,
        fmt::format("several {}s begin with {}: {}", kind, id, fmt::join(found, ", "))});
}

} // namespace

base::result<store::tasks::row> task(
    store::connection& db, const caller& who, const std::string& id)
{
    auto name = whole(db, who, "task", id, store::tasks::ids_with_prefix);
    if (!name)
        return std::unexpected(std::move(name.error()));
    auto row = store::tasks::find(db, base::task_id{*name});
    if (!row)
        return std::unexpected(not_found("task", id));
    return std::move(*row);
}

base::result<store::sessions::row> session(
    store::connection& db, const caller& who, const std::string& id)
{
    auto name = whole(db, who, "session", id, store::sessions::ids_with_prefix);
    if (!name)
        return std::unexpected(std::move(name.error()));
    auto row = store::sessions::find(db, base::session_id{*name});
    if (!row)
        return std::unexpected(not_found("session", id));
    return std::move(*row);
}

base::result<store::jobs::row> job(store::connection& db, const caller& who, const std::string& id)
{
    auto name = whole(db, who, "job", id, store::jobs::ids_with_prefix);
    if (!name)
        return std::unexpected(std::move(name.error()));
    auto row = store::jobs::find(db, base::job_id{*name});
    if (!row)
        return std::unexpected(not_found("job", id));
    return std::move(*row);
}

} // namespace agentd::session::lookup
