// The folders that sessions work in: found and checked before a task is accepted, made where
// none is asked for. Blocks: on a thread of the blocking pool.
#pragma once

#include "base/error.hpp"
#include "session/environment.hpp"
#include "session/service.hpp"

namespace agentd::session {

struct found_workdir {
    std::string path;         // real and absolute
    base::session_id session; // the new session's id: part of the name of a folder made for it
    bool made = false;
};

// `asked`: absolute, must be there. Absent: STATE/workspaces/SESSION (below the first root for
// a foreign uid in shared mode). Errors: invalid_field, workspace_denied, errno values.
[[nodiscard]] base::result<found_workdir> find_workdir(
    const settings& with, const caller& who, const std::optional<std::string>& asked);

// Removes a folder that find_workdir has made, with all that is in it. Links are not followed.
bool remove_workdir(const std::string& path);

} // namespace agentd::session
