// Who is at the other end of a connection, as the kernel says, and what he may.
// is_from_job reads /proc and may block: on a thread of the blocking pool. The rest: any.
#pragma once

#include "api/options.hpp"
#include "base/error.hpp"
#include "session/caller.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace agentd::api {

struct peer {
    pid_t pid = 0; // 0: in a PID namespace that we do not see
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> groups; // supplementary
};

// Of a connected Unix socket. Errors: errno of getsockopt.
[[nodiscard]] base::result<peer> peer_of(int socket);

// His rights; nullopt: none.
[[nodiscard]] std::optional<session::caller> rights_of(const peer& who, const options& bounds);

// True if `pid` descends from `daemon`, or carries the ids of a job in its environment.
[[nodiscard]] bool is_from_job(pid_t pid, pid_t daemon);

} // namespace agentd::api
