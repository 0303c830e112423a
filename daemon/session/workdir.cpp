#include "session/workdir.hpp"

#include "tools/workspace.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace agentd::session {
namespace {

namespace fs = std::filesystem;

// True if `path` is `root` or below it; both real.
bool is_below(const std::string& path, const std::string& root)
{
    std::error_code ignored; // a root that is not there holds nothing
    const auto real = fs::canonical(root, ignored).string();
    return !real.empty() && (path == real || real == "/" || path.starts_with(real + "/"));
}

bool is_foreign(const settings& with, const caller& who)
{
    return with.shared && !who.sees_all;
}

base::result<found_workdir> make_workdir(const settings& with, const caller& who)
{
    found_workdir place;
    place.session = base::new_session_id();
    place.made = true;
    const bool below_root = is_foreign(with, who) && !with.roots.empty();
    place.path = (below_root ? with.roots.front() : with.workspaces) + "/" + place.session.str();
    std::error_code failed;
    fs::create_directories(place.path, failed);
    if (!failed)
        fs::permissions(place.path, fs::perms::owner_all, failed);
    if (failed)
        return std::unexpected(base::error{
            errc::storage_failed, fmt::format("cannot make {}: {}", place.path, failed.message())});
    return place;
}

} // namespace

base::result<found_workdir> find_workdir(
    const settings& with, const caller& who, const std::optional<std::string>& asked)
{
    if (!asked)
        return make_workdir(with, who);
    if (!asked->starts_with('/'))
        return std::unexpected(
            base::error{errc::invalid_field, "field \"workdir\": must be an absolute path"});
    auto open = tools::workspace::open(*asked);
    if (!open)
        return std::unexpected(
            base::error{errc::invalid_field, "field \"workdir\": " + open.error().text});
    const auto& path = open->path();
    const auto holds = [&path](const std::string& root) { return is_below(path, root); };
    if (is_foreign(with, who) && std::ranges::none_of(with.roots, holds))
        return std::unexpected(base::error{errc::workspace_denied,
            fmt::format("workdir {} is not below a workspace root ({})", path,
                fmt::join(with.roots, ", "))});
    return found_workdir{path, base::new_session_id(), false};
}

bool remove_workdir(const std::string& path)
{
    std::error_code failed;
    fs::remove_all(path, failed);
    return !failed;
}

} // namespace agentd::session
