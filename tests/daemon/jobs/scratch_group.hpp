// A control group for tests, and who is put into it. Where there is no writable cgroup2 the tests
// that need one are skipped with their reason.
#pragma once

#include "jobs/environment.hpp"

#include <sys/types.h>

#include <string>

namespace agentd::testing {

// A group at the top of the mounted cgroup2, removed at the end with what is left in it;
// empty path: there can be none here.
class scratch_group {
public:
    scratch_group();
    ~scratch_group();
    scratch_group(const scratch_group&) = delete;
    scratch_group& operator=(const scratch_group&) = delete;

    [[nodiscard]] bool is_there() const;
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

[[nodiscard]] jobs::options in_group(const std::string& path);

// Moves this process into a group of cgroup2.
[[nodiscard]] bool enter(const std::string& path);

// A process that sleeps in the group and ignores TERM, in a session of its own.
[[nodiscard]] pid_t plant_in(const std::string& path, const std::string& mark);

} // namespace agentd::testing
