#include "tests/daemon/jobs/scratch_group.hpp"

#include "jobs/cgroup_place.hpp"
#include "tests/daemon/jobs/rig.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

namespace agentd::testing {

scratch_group::scratch_group()
{
    const auto mount = jobs::cgroup2_mount(read_text("/proc/self/mountinfo"));
    if (!mount || ::geteuid() != 0 || ::access(mount->folder.c_str(), W_OK) != 0)
        return;
    const auto path = mount->folder + "/agentd-test-" + marker();
    if (::mkdir(path.c_str(), 0755) == 0)
        path_ = path;
}

scratch_group::~scratch_group()
{
    if (!path_.empty())
        ::rmdir(path_.c_str());
}

bool scratch_group::is_there() const
{
    if (path_.empty())
        std::puts("SKIP: no cgroup2 is mounted that this user may write to");
    return !path_.empty();
}

jobs::options in_group(const std::string& path)
{
    auto options = quick();
    options.cgroup = path;
    return options;
}

bool enter(const std::string& path)
{
    const base::unique_fd folder{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    return folder && jobs::write_group_file(folder.get(), "cgroup.procs", "0") == 0;
}

pid_t plant_in(const std::string& path, const std::string& mark)
{
    const pid_t child = ::fork();
    if (child == 0) {
        ::signal(SIGTERM, SIG_IGN);
        ::setsid();
        if (!enter(path))
            ::_exit(126);
        ::execlp("sleep", "sleep", mark.c_str(), nullptr);
        ::_exit(127);
    }
    return child;
}

} // namespace agentd::testing
