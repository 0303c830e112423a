// The moment of birth: clone3(CLONE_VM | CLONE_VFORK | CLONE_PIDFD) and what the child does
// until it is the shell. The child shares the daemon's memory: it makes raw system calls only,
// uninstrumented, on a stack of its own, with all signals blocked, and writes nothing but the
// answers in its orders. The calling thread waits meanwhile.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace agentd::jobs {

// Where the child failed.
enum class child_step { session, workdir, limits, output, terminal, exec };

struct child_orders {
    const char* path;
    const char* const* argv;
    const char* const* envp;
    int workdir_fd;
    int input_fd;
    int output_fd;       // becomes 1 and 2
    bool takes_terminal; // they are one, which becomes its session's
    const char* oom_score;
    std::size_t oom_score_size;
    std::uint64_t mark; // 0: none
    bool sets_descriptor_limit;
    std::uint64_t descriptor_limit;
    std::uint64_t cpu_seconds; // 0: no limit
    std::uint64_t file_bytes;  // of each file written; 0: no limit

    // Answers. `error` is an errno value; 0: it has become what it was to become.
    child_step step = child_step::session;
    int error = 0;
    bool oom_score_set = false;
};

struct birth {
    pid_t pid = -1;
    int pidfd = -1;
    int error = 0; // errno when there is no child
};

// Any thread. `cgroup_fd`: the cgroup it is born in, -1: the caller's.
[[nodiscard]] birth clone_child(child_orders& orders, int cgroup_fd);

} // namespace agentd::jobs
