// A control group for tests, and who is put into it. Where there is no writable cgroup2 the tests
// that need one are skipped with their reason.
#pragma once

#include "base/unique_fd.hpp"
#include "jobs/environment.hpp"

#include <sys/types.h>

#include <cstdint>
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

// A process that no KILL ends, like one whose disk does not answer: its tracer keeps it at its exit
// until it is let go. It is no child of this process.
class undying {
public:
    // In that control group (empty: where this process is), with that mark (0: none).
    explicit undying(const std::string& group, std::uint64_t mark = 0);
    ~undying() { let_go(); }
    undying(const undying&) = delete;
    undying& operator=(const undying&) = delete;

    // False, with a line that says so: nothing can be traced here.
    [[nodiscard]] bool is_there() const;
    [[nodiscard]] pid_t pid() const { return pid_; }
    // It dies, whether it was killed or not.
    void let_go();

private:
    base::unique_fd line_; // to the tracer
    pid_t keeper_ = 0;     // him
    pid_t pid_ = 0;
};

} // namespace agentd::testing
