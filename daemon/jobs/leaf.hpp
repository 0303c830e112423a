// The control group of one command: born in it, whoever descends from its shell stays in it
// unless it is root's or agentd's own user's and leaves; it is killed as one. Given back when it
// goes.
// On the strand of the command; reads and writes small files of the kernel's (microseconds).
#pragma once

#include "base/unique_fd.hpp"
#include "jobs/command.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace agentd::jobs {

class leaves;

// What the kernel has counted for everybody who was ever in it; nullopt: not counted here.
struct group_bill {
    std::optional<std::chrono::microseconds> cpu;
    std::optional<std::int64_t> peak_bytes; // of all together, page cache included
    bool oom = false;                       // somebody in it was killed for want of memory
    // Whose memory that was: the bound of this group, of its session's, or the machine's.
    enum class memory_of { machine, command, session } short_of = memory_of::machine;
};

// Whether somebody lives in a group or below it, and who; they may be gone when this is read.
[[nodiscard]] bool is_populated(int folder);
[[nodiscard]] std::vector<pid_t> processes_in(int folder);

class leaf {
public:
    leaf(leaf&& other) noexcept;
    leaf& operator=(leaf&&) = delete;
    leaf(const leaf&) = delete;
    leaf& operator=(const leaf&) = delete;
    ~leaf();

    [[nodiscard]] int fd() const { return folder_.get(); }
    [[nodiscard]] const std::string& name() const { return name_; }

    // is_populated(), also when descriptors run out.
    [[nodiscard]] bool populated() const;
    // Whether a process is in it or below.
    [[nodiscard]] bool holds(pid_t pid) const;
    // Kills everybody in one step, whoever is being born included, also when descriptors run
    // out. False: the kernel refuses it.
    [[nodiscard]] bool kill() const;
    // A descriptor that gets an exceptional condition (EPOLLPRI) when is_populated() changes from
    // what `populated` says; none: there are no descriptors.
    struct watched {
        base::unique_fd fd{};
        bool populated = true;
    };
    [[nodiscard]] watched watch() const;

    // Before anybody is in it. What has no controller here is not enforced.
    // errno, 0: it is held to them.
    [[nodiscard]] int limit(const bounds& most) const;
    [[nodiscard]] group_bill bill() const;
    // The first of it alone.
    [[nodiscard]] std::optional<std::chrono::microseconds> cpu() const;

private:
    friend class leaves;
    // It lies in its session's group: for want of memory there it is killed as a whole.
    void join_session();
    [[nodiscard]] group_bill::memory_of short_of() const;
    leaf(leaves& home, std::string name, base::unique_fd folder, base::unique_fd events,
        base::unique_fd killer);

    leaves* home_;
    std::string name_;
    base::unique_fd folder_;
    base::unique_fd events_;
    base::unique_fd killer_;                        // its cgroup.kill
    std::optional<std::int64_t> session_shortages_; // when it joined; nullopt: it has no session
};

} // namespace agentd::jobs
