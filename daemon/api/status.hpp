// What the daemon as a whole tells about itself: implemented by app, shown by /v1/health,
// /v1/info and /metrics. Called from any thread; must not block.
#pragma once

#include "base/clock.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace agentd::api {

struct daemon_info {
    std::string version;
    std::string boot_id;
    std::int64_t pid = 0;
    std::uint32_t uid = 0;
    base::wall_time started_at{};
    std::string state_dir;
    std::string config_file; // empty: none, all defaults
    unsigned threads = 1;
    bool shared = false;
    std::vector<std::string> workspace_roots; // where tasks may work, in shared mode
    std::string model;                        // the default model's name
    // How the trees of jobs are held together: see SUPERVISION in agentd(8).
    struct {
        std::string means;                    // "cgroup" or "subreaper"
        std::string reason;                   // why not better; empty: there is nothing better
        std::string path;                     // of the control groups; empty: none
        std::vector<std::string> controllers; // that limit jobs there: "memory", "pids"
        bool watcher = false; // whether a process beside it ends jobs when it is killed
    } supervision;
    std::vector<std::string> degraded;          // as status::degraded()
    std::map<std::string, std::int64_t> limits; // by configuration key: "running_tasks", ...
};

class status {
public:
    virtual ~status() = default;
    [[nodiscard]] virtual daemon_info info() const = 0;
    // Why not everything works ("no model credential", "disk full"); empty: all does.
    [[nodiscard]] virtual std::vector<std::string> degraded() const = 0;
};

} // namespace agentd::api
