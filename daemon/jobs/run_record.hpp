// What one run of agentd leaves for the next: a number that is this state folder's alone, and a
// small file that is there as long as a run has not ended in order, with the path of its control
// groups: however the next one is started, it finds them.
// Any thread; blocks for a moment.
#pragma once

#include "base/error.hpp"
#include "jobs/procfs.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::jobs {

// The same in every run with this spool, by whatever path it is reached, and no other's as long
// as both are there: device and number of the folder that it lies in.
[[nodiscard]] std::string identity_of(const std::string& spool_folder);

// The name of the control group of all commands of that identity; the next ones (2 to
// most_subtrees) are for when those before cannot be emptied.
[[nodiscard]] std::string subtree_name(std::string_view identity, int number = 1);
inline constexpr int most_subtrees = 9; // a digit

// What is to be ended of a run.
struct run_remains {
    std::string groups;                      // the folder of its control groups; empty: it had none
    std::vector<std::string> stuck;          // of runs before, which could not be emptied
    std::vector<process_identity> processes; // that did not die of a KILL
};

class run_record {
public:
    explicit run_record(const std::string& spool_folder) : path_(spool_folder + ".run") {}

    // Of a run that has not ended in order; nullopt: there was no such run.
    [[nodiscard]] std::optional<run_remains> read() const;
    // In one step: it is there or not, whenever this process is killed. (After a power loss there
    // are no processes to look for.)
    base::result<> write(const run_remains& what) const;
    void remove() const;

private:
    std::string path_;
};

} // namespace agentd::jobs
