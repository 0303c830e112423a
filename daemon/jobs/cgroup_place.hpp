// Where in the tree of control groups (cgroup2) agentd may keep groups of its own: below its own
// group when that was given to it, or, where root runs it and no systemd does, below wherever
// it is. The finding is pure where it can be; the rest reads /proc and the groups' folders.
// Before the first command; blocks shortly.
#pragma once

#include "base/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::jobs {

// How the trees of commands are held together, as /v1/info shows it.
struct supervision {
    std::string means = "subreaper";      // or "cgroup"
    std::string reason;                   // why not better; empty: there is nothing better
    std::string path;                     // of the groups; empty: none
    std::vector<std::string> controllers; // that are ours to use there: "memory", "pids"
};

// A mounted cgroup2: the group that is its top, and the folder where that is.
struct cgroup_mount {
    std::string root;
    std::string folder;
    bool operator==(const cgroup_mount&) const = default;
};

// The first cgroup2 of a mountinfo, be it alone or beside older hierarchies.
[[nodiscard]] std::optional<cgroup_mount> cgroup2_mount(std::string_view mountinfo);
// The path that a /proc/PID/cgroup says ("0::/a/b"), without " (deleted)".
[[nodiscard]] std::optional<std::string> cgroup2_path(std::string_view membership);
// The folder of a group; nullopt: it lies outside of what is mounted.
[[nodiscard]] std::optional<std::string> folder_of(
    const cgroup_mount& where, std::string_view path);

// A group in which ours may be made.
struct cgroup_place {
    std::string folder;
    bool own = false; // it is the daemon's own group: it has to leave before controllers work
};

// For `auto`. An error says why there is none.
[[nodiscard]] base::result<cgroup_place> find_cgroup_place();
// For a configured folder, which is made where only its last part is missing.
[[nodiscard]] base::result<cgroup_place> check_cgroup_place(const std::string& folder);

// A small file in a group's folder: its text ("" when it cannot be read); writing answers
// errno, 0: written.
[[nodiscard]] std::string read_group_file(int folder, const char* name);
int write_group_file(int folder, const char* name, std::string_view text);
// What stands between blanks and line ends.
[[nodiscard]] std::vector<std::string> words_of(std::string_view text);

} // namespace agentd::jobs
