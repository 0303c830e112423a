// New contents of a file, which take the place of the old ones in one step: they are written
// to a temporary file in the same folder, which is then renamed. Whatever fails before leaves
// the old file as it was. Blocks: on a thread of the blocking pool.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "tools/workspace.hpp"

#include <string>
#include <string_view>

namespace agentd::tools {

class replacement {
public:
    // For `at`, which outlives this. Errors: errno values, "cannot write PATH: REASON".
    [[nodiscard]] static base::result<replacement> begin(const target& at);
    ~replacement(); // removes what was not committed
    replacement(replacement&& other) noexcept;
    replacement& operator=(replacement&&) = delete;
    replacement(const replacement&) = delete;
    replacement& operator=(const replacement&) = delete;

    // Appends to the new contents.
    [[nodiscard]] base::result<> write(std::string_view bytes);
    // Puts them in place, with the old file's mode (a new file's is left to the umask).
    [[nodiscard]] base::result<> commit();

private:
    replacement(const target& at, std::string name, base::unique_fd fd)
        : at_(&at), name_(std::move(name)), fd_(std::move(fd))
    {}
    [[nodiscard]] base::error failure(int number) const;

    const target* at_;
    std::string name_; // of the temporary file; empty: there is none
    base::unique_fd fd_;
};

} // namespace agentd::tools
