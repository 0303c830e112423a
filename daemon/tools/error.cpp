#include "tools/error.hpp"

namespace agentd::tools {

std::string_view error_text(errc value)
{
    switch (value) {
    case errc::escapes_workspace: return "path escapes the workspace";
    case errc::not_a_file: return "not a regular file";
    case errc::not_found: return "not found";
    case errc::too_large: return "file too large";
    case errc::text_not_found: return "text not found";
    case errc::bad_pattern: return "bad pattern";
    case errc::bad_input: return "bad input";
    }
    return "unknown";
}

} // namespace agentd::tools
