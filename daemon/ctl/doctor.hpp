// `agentctl doctor` in its chapters: what can be seen of the socket from outside, what the
// daemon says of itself, and what its own program finds in its configuration and state.
// On the one strand of agentctl.
#pragma once

#include "ctl/commands.hpp"
#include "proto/api/finding.hpp"

#include <string>
#include <vector>

namespace agentd::ctl {

// What was found, and the exit code that it means if it is an error.
struct diagnosis {
    proto::api::finding what;
    errc means = errc::daemon_error;
};
using diagnoses = std::vector<diagnosis>;

// The socket as a file: is it there, whose is it, may we use it. Blocks for a moment.
void look_at_socket(const std::string& path, diagnoses& to);

// What the daemon's program is to look at.
struct place {
    std::string state_dir, config; // empty: agentd's own defaults
    std::string agentd;            // the program; empty: to be looked for
};
// `agentd --check-config` and `agentd --check-state`.
aio::awaitable<> ask_agentd(place where, diagnoses& to);

} // namespace agentd::ctl
