// The processes of one command: its shell, everything that descends from it, and what of that
// has lost its parent. Two means, the first where there is one:
//   - the leaf (a control group): who is in it is asked of the kernel, and it is killed as one;
//   - the walk: children of children, and orphans by their mark (children.hpp). With a leaf it
//     only has to find who has left that, which takes root or the daemon's own user.
// Everything goes through pidfds whose process was looked at after they were opened, or to the
// group of the shell while that is unreaped: no signal can hit a recycled number.
// On the strand of the command; blocks for microseconds.
#pragma once

#include "base/unique_fd.hpp"
#include "jobs/children.hpp"
#include "jobs/leaf.hpp"

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace agentd::jobs {

class tree {
public:
    // `variable` marks its processes in their environment ("AGENTD_JOB_ID=..."); may be empty.
    // `group`: the leaf it was born in, or null; outlives this.
    tree(children& all, launched_id leader, std::string variable, const leaf* group);

    // Looks again: all living processes but the shell. Dead orphans are reaped on the way.
    // "None" is certain: a pass in which something died is repeated, for its children have
    // become orphans after those were listed.
    void look(bool leader_lives);

    // Sends TERM and then CONT, so that stopped ones get it, too; or KILL. To the shell's group
    // and to all that were there at the last look. `leader_lives`: it is not reaped in any case.
    // Who has left the leaf while others are in it is found when it is empty: he gets his TERM
    // then.
    void terminate();
    void kill();

    // What it has used so far: with a leaf everybody who was ever in it, else who lives or was
    // waited for, rather too little. Looks by itself; with many processes for milliseconds.
    [[nodiscard]] std::chrono::microseconds cpu() const;

    // All that there are now, the living shell included; somebody may be missing. Takes no look.
    [[nodiscard]] std::vector<pid_t> list(bool leader_lives) const;

    // Of the last look: those that can be signalled, and those that refused it to us.
    [[nodiscard]] std::size_t living() const;
    [[nodiscard]] std::size_t unstoppable() const { return refused_.size(); }

    // What tells that one of the living may have gone, which leads to the next look.
    struct sign {
        base::unique_fd fd{}; // none: nobody lives, or there are no descriptors
        bool urgent = false;  // it comes as EPOLLPRI, not by becoming readable
        bool given = false;   // it came between the last look and this question
    };
    [[nodiscard]] sign next_sign() const;

private:
    struct member {
        pid_t pid;
        base::unique_fd pidfd;
    };

    [[nodiscard]] std::size_t count_in_leaf(bool leader_lives) const;
    void look_once(bool leader_lives);
    void add(pid_t pid, pid_t parent);
    void add_children_of(std::size_t index);
    void set_refusing_aside();
    bool send(int number, bool also_group); // false: a member found by the walk did not get it
    void send_in_leaf(int number);

    children& all_;
    launched_id leader_;
    std::string variable_;
    const leaf* group_;
    std::size_t in_leaf_ = 0;     // beside the shell, at the last look
    std::vector<member> members_; // found by the walk
    std::vector<pid_t> corpses_;  // unreaped children of living ones, known in this look
    std::vector<pid_t> refused_;
    bool asked_ = false;  // TERM was sent
    bool settled_ = true; // nothing died during the last pass, and nobody was hidden
    bool hidden_ = false; // one executed another program during it, which may be ours
};

} // namespace agentd::jobs
