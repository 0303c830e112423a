// What the tests of jobs share: an environment over a temporary folder, run by one or several
// threads, and an observer of what is left behind that shares no means with the killing: it
// reads every command line of /proc.
#pragma once

#include "aio/awaitable.hpp"
#include "aio/blocking_pool.hpp"
#include "base/unique_fd.hpp"
#include "jobs/environment.hpp"
#include "jobs/foreground.hpp"
#include "jobs/job.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace agentd::testing {

// A folder under /tmp that goes with its object.
class temp_folder {
public:
    temp_folder();
    ~temp_folder();
    temp_folder(const temp_folder&) = delete;
    temp_folder& operator=(const temp_folder&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

struct rig {
    aio::executor strand;
    jobs::environment& shared;
    std::string folder; // where commands start
    std::string spool_folder;
    int workdir_fd;

    [[nodiscard]] jobs::command command(
        std::string text, std::chrono::milliseconds timeout = {}) const;
    // Runs it in the background / the foreground, to its end.
    aio::awaitable<jobs::outcome> run_job(std::string text, std::chrono::milliseconds timeout = {});
    aio::awaitable<jobs::outcome> run_foreground(
        std::string text, std::chrono::milliseconds timeout = {});
};

// Uses as much CPU time as it gets.
inline constexpr const char* burn = "while :; do :; done";
// Runs it to its end.
aio::awaitable<> run_into(jobs::job& one, jobs::outcome* end);

// Settings for tests: a short grace, so that what ignores TERM does not take seconds.
[[nodiscard]] jobs::options quick();
// With a grace that a loaded machine does not exceed, for what handles TERM.
[[nodiscard]] jobs::options patient();

using rig_test = std::function<aio::awaitable<>(rig&)>;
// Runs `test` with an environment; fails it when it does not end within `limit`, or leaves a
// descriptor open or a child of this process unreaped.
void with_rig(const rig_test& test, jobs::options with = quick(), int threads = 1,
    std::chrono::seconds limit = std::chrono::seconds{60});

// The same twice: without control groups, and with a leaf for each command. The second half may
// be skipped, with its reason, only where nobody could have leaves.
void with_both_means(const rig_test& test, jobs::options with = quick(), int threads = 1);

// A number for `sleep` that no other process has in its command line.
[[nodiscard]] std::string marker();
// How many living processes have `text` in their command line, this one excepted.
[[nodiscard]] std::size_t processes_with(const std::string& text);
// Children of this process, zombies included.
[[nodiscard]] std::size_t own_children();
[[nodiscard]] std::size_t open_descriptors();

// Goes on when `holds`; a failed check after ten seconds.
aio::awaitable<> until(std::function<bool()> holds);

[[nodiscard]] std::string read_text(const std::string& path);
// The number a file begins with; 0: none.
[[nodiscard]] int number_in(const std::string& path);

} // namespace agentd::testing
