// What /v1/info and /v1/health say of the daemon as a whole: implements api::status.
// Any thread.
#pragma once

#include "api/status.hpp"
#include "app/startup.hpp"
#include "jobs/cgroup_place.hpp"
#include "model/client.hpp"
#include "session/environment.hpp"
#include "store/store.hpp"

#include <mutex>

namespace agentd::app {

class status_report final : public api::status {
public:
    // All outlive it.
    status_report(const startup& from, const model::client& model, const store::store& db,
        const session::current_settings& now);

    [[nodiscard]] api::daemon_info info() const override;
    [[nodiscard]] std::vector<std::string> degraded() const override;

    // Why there is no key to the model, in more words than the model's client has; empty: there
    // is one. At start and on reload.
    void set_key_problem(std::string why);

    // Before anybody can ask.
    void set_supervision(const jobs::supervision& means);

    [[nodiscard]] const std::string& boot_id() const { return fixed_.boot_id; }

private:
    api::daemon_info fixed_; // what does not change while we run
    const model::client& model_;
    const store::store& db_;
    const session::current_settings& now_;
    mutable std::mutex changing_;
    std::string key_problem_;
};

} // namespace agentd::app
