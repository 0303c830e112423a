// What keeps the daemon from starting. Pure; any thread.
#pragma once

#include "base/error.hpp"

#include <string_view>

namespace agentd::app {

enum class errc {
    bad_config = 1, // a key, a file or a combination of them; the text has a line for each
    in_use,         // another daemon has the state folder or the socket
    no_access,      // a folder or file that cannot be made, opened or locked
};
[[nodiscard]] inline std::string_view error_text(errc value)
{
    switch (value) {
    case errc::bad_config: return "bad configuration";
    case errc::in_use: return "in use by another daemon";
    case errc::no_access: return "no access";
    }
    return "unknown";
}

} // namespace agentd::app

AGENTD_ERROR_ENUM(agentd::app)

namespace agentd::app {

// That the system refused `what` with this errno.
[[nodiscard]] inline base::error no_access(std::string_view what, int number)
{
    return {errc::no_access, base::system_error(what, number).text};
}

} // namespace agentd::app
