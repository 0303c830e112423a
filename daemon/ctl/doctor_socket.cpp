// doctor: the socket as a file.
#include "ctl/doctor.hpp"

#include <fmt/format.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace agentd::ctl {
namespace {

using proto::api::verdict;

} // namespace

void look_at_socket(const std::string& path, diagnoses& to)
{
    struct stat is{};
    if (::stat(path.c_str(), &is) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            to.push_back({{"socket", verdict::error, "there is no socket " + path,
                              "start the daemon, or name its socket: --socket or AGENTD_SOCKET"},
                errc::unreachable});
        else
            to.push_back({{"socket", verdict::error,
                              base::system_error("look at the socket " + path, errno).text,
                              "every folder above it has to let you through (`namei -l` shows "
                              "them); or be the daemon's user, or root"},
                errno == EACCES ? errc::denied : errc::unreachable});
        return;
    }
    const auto whose = fmt::format(
        "{}, of uid {} and gid {}, mode {:04o}", path, is.st_uid, is.st_gid, is.st_mode & 07777);
    if (!S_ISSOCK(is.st_mode))
        to.push_back({{"socket", verdict::error, path + " is no socket",
                          "name the daemon's: --socket or AGENTD_SOCKET"},
            errc::unreachable});
    else if (::access(path.c_str(), W_OK) != 0)
        to.push_back({{"socket", verdict::error, "no right to use " + whose,
                          "be the daemon's user or root; or with `shared` a member of that group"},
            errc::denied});
    else
        to.push_back({{"socket", verdict::ok, whose, ""}});
}

} // namespace agentd::ctl
