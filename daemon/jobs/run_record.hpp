// What one run of agentd leaves for the next: a number that is this state folder's alone, and a
// small file that is there as long as a run has not ended in order, with the path of its control
// groups: however the next one is started, it finds them.
// Any thread; blocks for a moment.
#pragma once

#include "base/error.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace agentd::jobs {

// The same in every run with this spool, by whatever path it is reached, and no other's as long
// as both are there: device and number of the folder that it lies in.
[[nodiscard]] std::string identity_of(const std::string& spool_folder);

// The name of the control group of all commands of that identity.
[[nodiscard]] std::string subtree_name(std::string_view identity);

class run_record {
public:
    explicit run_record(const std::string& spool_folder) : path_(spool_folder + ".run") {}

    // The path of the groups of a run that has not ended in order; "": it had none. nullopt:
    // there was no such run.
    [[nodiscard]] std::optional<std::string> read() const;
    // In one step: it is there or not, whenever this process is killed. (After a power loss there
    // are no processes to look for.)
    base::result<> write(std::string_view groups) const;
    void remove() const;

private:
    std::string path_;
};

} // namespace agentd::jobs
