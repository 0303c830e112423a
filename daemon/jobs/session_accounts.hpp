// What the commands of one session have used together: an account for each session whose CPU time
// is bounded. Commands pay in what they use while they run; what ended jobs had used before this
// run of the daemon comes from the store.
// Any thread.
#pragma once

#include "base/ids.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace agentd::jobs {

class session_account {
public:
    session_account(std::chrono::seconds most, std::chrono::microseconds used)
        : most_(most), used_us_(used.count())
    {}

    void add(std::chrono::microseconds used) { used_us_ += used.count(); }
    [[nodiscard]] bool used_up() const { return left().count() <= 0; }
    // "the session has used up its 600 s of CPU time"
    [[nodiscard]] std::string text() const;
    // Zero or less: it is used up.
    [[nodiscard]] std::chrono::microseconds left() const
    {
        return most_ - std::chrono::microseconds{used_us_.load()};
    }

private:
    const std::chrono::seconds most_;
    std::atomic<std::int64_t> used_us_;
};

class session_accounts {
public:
    // `most`: CPU time of each session; 0: no bound, and no accounts.
    explicit session_accounts(std::chrono::seconds most) : most_(most) {}

    // Whether open() has to come before the first command of the session.
    [[nodiscard]] bool wants(const base::session_id& session) const;
    void open(const base::session_id& session, std::chrono::microseconds used_before);
    // Null: it is not bounded, or nobody's. Of one that was not opened: a new one.
    [[nodiscard]] std::shared_ptr<session_account> of(const base::session_id& session);

private:
    const std::chrono::seconds most_;
    mutable std::mutex lock_; // of all below
    // Shared with the commands that run. Bounded by limits::session_accounts.
    std::unordered_map<base::session_id, std::shared_ptr<session_account>> all_;
};

} // namespace agentd::jobs
