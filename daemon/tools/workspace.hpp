// The folder that a session works in, held by its descriptor. Paths are relative to it, or
// absolute inside it; nothing outside is read or written, whatever links and races there are.
// Special files are refused, a file is replaced in one step. Immutable; any thread. Everything
// but fd() and path() blocks: on a thread of the blocking pool.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "tools/beneath.hpp"

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace agentd::tools {

// A regular file, open for reading.
struct open_file {
    base::unique_fd fd;
    std::uint64_t size = 0; // when it was opened
};

// A regular file that is there, or is not yet, and where its contents will be replaced.
struct target {
    place at;
    std::string shown; // the path as the model wrote it
    bool exists = false;
    mode_t mode = 0; // of the existing one
    uid_t uid = 0;
    gid_t gid = 0;
};

class workspace {
public:
    // `path` is absolute. Errors: errno values; the folder must be one that can be entered.
    [[nodiscard]] static base::result<workspace> open(
        const std::string& path, way found_by = way::kernel);

    // O_PATH; commands start there by fchdir.
    [[nodiscard]] int fd() const { return root_.fd.get(); }
    // The real path when it was opened.
    [[nodiscard]] const std::string& path() const { return root_.names.front(); }

    // Errors of all: escapes_workspace, not_a_file, not_found, errno values; the text is made
    // for the model: "Path escapes workspace: PATH", "cannot read PATH: REASON".
    [[nodiscard]] base::result<open_file> open_to_read(std::string_view path) const;
    [[nodiscard]] base::result<target> find_target(
        std::string_view path, missing_folders parents) const;
    // The contents that are to be replaced.
    [[nodiscard]] base::result<open_file> open_old(const target& what) const;

private:
    explicit workspace(root_folder root) : root_(std::move(root)) {}
    [[nodiscard]] base::result<place> find(
        std::string_view verb, std::string_view path, missing_folders parents) const;

    root_folder root_;
};

} // namespace agentd::tools
