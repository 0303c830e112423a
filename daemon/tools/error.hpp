// What can go wrong below the tools, as conditions to branch on. The tools make answers for
// the model of them; nothing else sees them. Any thread.
#pragma once

#include "base/error.hpp"

#include <string_view>

namespace agentd::tools {

enum class errc {
    escapes_workspace = 1, // the path leads out of the workspace
    not_a_file,            // a directory, or a fifo, device, socket
    not_found,             // there is no such file or folder
    too_large,             // beyond limits::file_bytes
    text_not_found,        // what is to be replaced is not there
    bad_pattern,           // a policy pattern that means nothing
    bad_input,             // the tool's input is not what its schema says
};

[[nodiscard]] std::string_view error_text(errc value);

} // namespace agentd::tools

AGENTD_ERROR_ENUM(agentd::tools)
