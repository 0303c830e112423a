// What a running daemon holds, as /proc shows it: children, descriptors, threads, memory.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace agentd::testing {

// The children of a daemon besides its watcher, dead ones that nobody has waited for included:
// their /proc/PID/stat.
[[nodiscard]] std::vector<std::string> children_of(pid_t parent);
// The command lines of those that have this text in their environment.
[[nodiscard]] std::vector<std::string> processes_with(const std::string& marker);

// What the process has open, by kind: "socket", "pipe", "anon_inode:[pidfd]", paths of files.
using open_files = std::map<std::string, int>;
[[nodiscard]] open_files open_of(pid_t pid);
// Of which kinds there are more than before, besides connections to the model that are kept for
// later: "" or a line each.
[[nodiscard]] std::string more_open(const open_files& before, const open_files& now);

[[nodiscard]] std::size_t threads_of(pid_t pid);
// Resident and not of files, in KiB.
[[nodiscard]] long anonymous_kib(pid_t pid);

} // namespace agentd::testing
