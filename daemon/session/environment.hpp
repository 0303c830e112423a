// What all sessions share: the means they work with and the settings they go by. Made once by
// the composition root, outlives every session. The means are safe to use from any strand; the
// settings are replaced as a whole on a reload.
#pragma once

#include "aio/awaitable.hpp"
#include "base/limits.hpp"
#include "proto/api/types.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace agentd::aio {
class blocking_pool;
}
namespace agentd::jobs {
class environment;
}
namespace agentd::model {
class client;
}
namespace agentd::store {
class store;
}
namespace agentd::tools {
class command_environment;
class policy;
class registry;
} // namespace agentd::tools

namespace agentd::session {

class event_hub;
class scheduler;

// What a model costs, in USD for a million tokens.
struct price {
    double input = 0;
    double output = 0;
    double cache_read = 0;
    double cache_write = 0;
};

struct settings {
    std::string model;
    std::int64_t max_tokens = 16'000;
    std::int64_t context_window = 0;     // tokens; 0: what is known of the model
    double compact_at = 0.85;            // share of it that is too full to go on; 0: never
    std::map<std::string, price> prices; // by model; without one there is no cost and no budget
    std::chrono::milliseconds wake_window = limits::wake_window;
    std::int64_t max_turns = limits::max_turns;
    std::size_t queued_tasks = limits::queued_tasks;
    std::int64_t sessions = limits::sessions;
    std::int64_t session_tokens = 0; // of all tasks of a session; 0: no limit
    double session_budget_usd = 0;
    std::chrono::seconds job_timeout = limits::job_timeout;
    bool shared = false;            // other uids use the daemon, too
    std::vector<std::string> roots; // of workspaces, in shared mode
    std::string workspaces;         // STATE/workspaces, for sessions without a workdir
    std::uint32_t own_uid = 0;
};

// The settings in force, swapped as a whole by a reload. Any thread.
class current_settings {
public:
    explicit current_settings(settings first)
        : now_(std::make_shared<const settings>(std::move(first)))
    {}

    [[nodiscard]] std::shared_ptr<const settings> get() const
    {
        const std::lock_guard lock{swap_};
        return now_;
    }
    void set(settings next)
    {
        auto fresh = std::make_shared<const settings>(std::move(next));
        const std::lock_guard lock{swap_};
        now_ = std::move(fresh);
    }

private:
    mutable std::mutex swap_;
    std::shared_ptr<const settings> now_;
};

struct environment {
    aio::executor io;
    store::store& db;
    model::client& model;
    const tools::registry& tools;
    const tools::policy& policy;
    const tools::command_environment& commands;
    jobs::environment& jobs;
    aio::blocking_pool& blocking;
    scheduler& places;
    event_hub& hub;
    current_settings& now; // read once at the start of each piece of work
};

// USD for `used` tokens of `model`; nullopt when it has no price.
[[nodiscard]] std::optional<double> cost_of(
    const settings& with, const std::string& model, const proto::api::usage& used);

} // namespace agentd::session
