// A program under test: started with exactly the environment that is given, its output in
// files or read line by line, killed at the latest with this object.
#pragma once

#include "base/unique_fd.hpp"

#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace agentd::testing {

struct program {
    std::vector<std::string> argv;
    std::map<std::string, std::string> env; // and nothing else
    std::string folder;                     // where it starts; empty: here
    std::string stdout_file;                // empty: read_line() gets it
    std::string stderr_file;                // empty: ours
};

class process {
public:
    explicit process(const program& what);
    ~process();
    process(const process&) = delete;
    process& operator=(const process&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    void signal(int number) const;
    // How it ended: the exit code, or 128 + the signal. nullopt: it has not, within `limit`.
    std::optional<int> wait(std::chrono::milliseconds limit);
    // A line of its stdout, without its end; nullopt at the end, or after `limit`.
    std::optional<std::string> read_line(std::chrono::milliseconds limit);
    // Everything up to the end of its stdout.
    std::string read_all(std::chrono::milliseconds limit);

private:
    bool fill(std::chrono::steady_clock::time_point until);

    pid_t pid_ = -1;
    base::unique_fd pidfd_;
    base::unique_fd stdout_;
    std::string read_;
    std::optional<int> ended_;
};

// How long anything may take before a test calls it hung; longer under sanitizers.
[[nodiscard]] std::chrono::milliseconds patience();

// A new folder in /tmp with a short name; removed with this object.
class scratch_folder {
public:
    scratch_folder();
    ~scratch_folder();
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    // PATH/name
    [[nodiscard]] std::string operator/(std::string_view name) const;

private:
    std::string path_;
};

void write_file(const std::string& path, std::string_view content);
[[nodiscard]] std::string read_file(const std::string& path); // "" if it is not there

} // namespace agentd::testing
