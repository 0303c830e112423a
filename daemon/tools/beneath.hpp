// Finding a place below a folder that is held by its descriptor. Nothing leads out: no "..",
// no link, no magic link, and no race, since every step starts from a descriptor that was
// found below. openat2(2) does it where the kernel has it; what that refuses (an absolute link
// back inside, a missing folder to make) or cannot do is walked part by part.
// Blocks: on a thread of the blocking pool. Functions are safe to call from any thread.
#pragma once

#include "base/unique_fd.hpp"

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace agentd::tools {

// Who finds the way: the kernel where it can, or always the walk, as without openat2.
enum class way { kernel, walk };

// The folder, and the absolute paths under which it is known: links to those lead back inside.
struct root_folder {
    base::unique_fd fd;
    std::vector<std::string> names;
    way found_by = way::kernel;
};

// A name in an open folder. The name was no link when it was looked at; there may be nothing
// of that name. "." for the folder itself.
struct place {
    base::unique_fd folder; // O_PATH
    std::string name;
};

enum class missing_folders { refuse, make };

// The part of `path` below one of `names`; absolute paths only. nullopt: it is elsewhere.
[[nodiscard]] std::optional<std::string> below(
    std::string_view path, const std::vector<std::string>& names);

// Where `relative` leads, links followed to the end. Errors: errc::escapes_workspace and errno
// values (generic_category).
[[nodiscard]] std::expected<place, std::error_code> find_beneath(
    const root_folder& root, std::string_view relative, missing_folders parents);

} // namespace agentd::tools
