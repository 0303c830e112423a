// The processes of one command: its shell, everything that descends from it, and what of that
// has lost its parent. Where a cgroup holds a command, this is the place where its means
// (cgroup.kill, populated) stand beside these.
// Everything goes through pidfds whose process was looked at after they were opened, or to the
// group of the shell while that is unreaped: no signal can hit a recycled number.
// On the strand of the command; blocks for microseconds.
#pragma once

#include "base/unique_fd.hpp"
#include "jobs/children.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

namespace agentd::jobs {

class tree {
public:
    // `variable` marks its processes in their environment ("AGENTD_JOB_ID=..."); may be empty.
    tree(children& all, launched_id leader, std::string variable);

    // Looks again: all living processes but the shell. Dead orphans are reaped on the way.
    // "None" is certain: a pass in which something died is repeated, for its children have
    // become orphans after those were listed.
    void look(bool leader_lives);

    // Sends TERM and then CONT, so that stopped ones get it, too; or KILL. To the shell's group
    // and to all that were there at the last look. `leader_lives`: it is not reaped in any case.
    void terminate();
    void kill();

    // Of the last look: those that can be signalled, and those that refused it to us.
    [[nodiscard]] std::size_t living() const { return members_.size() + (settled_ ? 0 : 1); }
    [[nodiscard]] std::size_t unstoppable() const { return refused_.size(); }
    // A pidfd of one of the living; -1: there is none.
    [[nodiscard]] int some_member() const;

private:
    struct member {
        pid_t pid;
        base::unique_fd pidfd;
    };

    void look_once(bool leader_lives);
    void add(pid_t pid, pid_t parent);
    void add_children_of(std::size_t index);
    void set_refusing_aside();
    void send(int number, bool also_group);

    children& all_;
    launched_id leader_;
    std::string variable_;
    std::vector<member> members_;
    std::vector<pid_t> refused_;
    bool settled_ = true; // nothing died during the last pass
};

} // namespace agentd::jobs
