// `agentd --check-state`: what a person has to know of a state folder whose daemon does not
// start or is not well, each finding with what to do about it. Nothing is changed, made or
// locked, so it may run beside a daemon at any time; what could not be looked at is said.
// Before there is a loop; main thread, blocks.
#pragma once

#include "proto/api/finding.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace agentd::app {

struct state_place {
    std::string folder;            // absolute
    std::uint64_t spool_bytes = 0; // jobs.spool_bytes of the configuration
};

using findings = std::vector<proto::api::finding>;

// Everything there is to look at; the names of the checks are those of agentd(8).
[[nodiscard]] findings check_state(const state_place& at);

// --- its chapters

// Who has the state folder's lock.
struct lock_state {
    bool readable = true;
    bool held = false;
};
// The folder itself; false: there is nothing to look into.
[[nodiscard]] bool check_folder(const std::string& folder, findings& to);
[[nodiscard]] lock_state check_lock(const std::string& folder, findings& to);
// How the last run ended; true: without an orderly stop.
bool check_last_run(const std::string& folder, const lock_state& lock, findings& to);
void check_space(const std::string& folder, findings& to);
void check_spool(const state_place& at, findings& to);
void check_database(
    const std::string& folder, const lock_state& lock, bool ended_badly, findings& to);

// A number of bytes for people: "1.5 MiB".
[[nodiscard]] std::string size_text(std::uint64_t bytes);

} // namespace agentd::app
