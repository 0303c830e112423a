// The control groups of commands (leaves): agentd's subtree of cgroup2, named after the state
// folder so that the next start finds what a killed daemon left, a few leaves made ahead, and
// the removal of used ones off the path of commands. Where sessions are bounded, each has a group
// of its own above its leaves, as long as it has any.
// open() and close() frame everything else; take() and what a leaf does when it goes: any
// thread; tend() on a thread that may block.
#pragma once

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"
#include "base/unique_fd.hpp"
#include "jobs/cgroup_place.hpp"
#include "jobs/leaf.hpp"

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::jobs {

// What is known of the groups of runs before: those that could not be emptied, and how long others
// may take for it.
struct former_groups {
    std::vector<std::string> stuck;
    base::mono_time until = base::mono_now() + limits::former_death;
};

class leaves {
public:
    // `setting`: "auto", "off" or a folder. `identity`: see run_record.hpp. `wake` is called
    // from any thread when tend() is due. `together`: what all commands of a session may use of
    // memory and processes.
    leaves(std::string setting, std::string_view identity, std::function<void()> wake,
        bounds together = {});

    // Finds the place, ends what a former run left there, makes the subtree. Only a configured
    // folder that cannot be used is an error; else means() says why there are no leaves.
    // `companion`: a process that goes where the daemon goes (0: none).
    // Blocks: for milliseconds, or until leftovers are dead. Those who do not die keep their group,
    // and there is another one for this run.
    base::result<> open(pid_t companion = 0, const former_groups& before = {});
    // After the last command; who is left in the subtree is killed, and it is removed. Blocks
    // shortly. False: it is still there.
    bool close();

    // Kills everybody in all leaves, whatever else is going on: agentd ends at once.
    void kill_all() const;

    // A leaf for one command of that session (empty: of none); nullopt: there are none, or none
    // could be made, which is logged.
    [[nodiscard]] std::optional<leaf> take(const base::session_id& session = {});
    // The command could not be started in the leaf that it got.
    void refused(int error);

    // Removes used leaves and makes new ones ahead.
    void tend();

    // Settled by open().
    [[nodiscard]] const supervision& means() const { return means_; }
    [[nodiscard]] const std::string& subtree() const { return subtree_; }
    // How many a former run had left with somebody in them (one kill ended them all).
    [[nodiscard]] std::size_t ended_former() const { return ended_former_; }
    // Groups of former runs that open() could not empty.
    [[nodiscard]] const std::vector<std::string>& stuck() const { return stuck_; }

private:
    friend class leaf;
    void give_back(std::string name);

    base::result<> settle(const cgroup_place& where, pid_t companion, const former_groups& before);
    base::result<std::string> free_subtree(const std::string& folder, const former_groups& before);
    base::result<> try_birth();
    base::result<leaf> try_take();
    [[nodiscard]] bool has(std::string_view controller) const;
    base::result<leaf> try_take_in(const base::session_id& session);
    base::result<base::unique_fd> session_group(const std::string& name);
    base::result<leaf> open_leaf(std::string name);
    [[nodiscard]] std::string next_name();
    void tell_failing(const base::error& why);

    const std::string setting_;
    const std::string identity_;
    std::string subtree_; // the name of our group
    const std::function<void()> wake_;
    const bounds together_;
    supervision means_;
    std::size_t ended_former_ = 0;
    std::vector<std::string> stuck_;
    base::unique_fd folder_; // of our group, locked; none: no leaves
    base::unique_fd killer_; // its cgroup.kill; stays open after close()

    std::atomic<std::uint64_t> number_ = 0;

    std::mutex lock_; // of all below
    std::vector<std::string> ready_;
    std::vector<std::string> used_;
    bool waking_ = false;    // tend() was asked for and has not begun
    base::mono_time told_{}; // when a failure was logged
};

} // namespace agentd::jobs
