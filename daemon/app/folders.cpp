#include "app/folders.hpp"

#include "app/errc.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace agentd::app {
base::result<file_lock> open_state(const std::string& folder)
{
    std::error_code failure;
    std::filesystem::create_directories(folder, failure); // 0700 by the umask
    if (failure)
        return std::unexpected(no_access("make the state folder " + folder, failure.value()));
    struct stat is{};
    if (::stat(folder.c_str(), &is) != 0)
        return std::unexpected(no_access("look at the state folder " + folder, errno));
    // It holds prompts, outputs and the values of env: nobody else's business.
    if ((is.st_mode & 0777) != 0700 && ::chmod(folder.c_str(), 0700) != 0)
        return std::unexpected(no_access("make the state folder " + folder + " private", errno));
    return file_lock::take(state_lock(folder), "state folder " + folder);
}

std::string state_lock(const std::string& folder)
{
    return folder + "/lock";
}

base::result<> make_socket_folder(const std::string& path, bool shared)
{
    const auto folder = std::filesystem::path{path}.parent_path();
    std::error_code failure;
    if (folder.empty() || !std::filesystem::create_directories(folder, failure)) {
        if (failure)
            return std::unexpected(
                no_access("make the folder " + folder.string(), failure.value()));
        return {};
    }
    if (shared && ::chmod(folder.c_str(), 0755) != 0)
        return std::unexpected(no_access("open the folder " + folder.string(), errno));
    return {};
}

} // namespace agentd::app
