// What the commands of one session have used together: an account for each session, where there
// is a bound. Commands pay in what they use while they run; what ended jobs had used before this
// run of the daemon comes from the store.
// Any thread.
#pragma once

#include "base/ids.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace agentd::jobs {

struct session_use {
    std::chrono::microseconds cpu{0};
    std::chrono::milliseconds wall{0}; // of each command by itself, however many run at once
    std::uint64_t output_bytes = 0;    // whether they are kept or not
};

// The most of it; 0: no bound.
struct session_most {
    std::chrono::seconds cpu{0};
    std::chrono::seconds wall{0};
    std::uint64_t output_bytes = 0;
};

class session_account {
public:
    enum class short_of { nothing, cpu, wall, output };

    session_account(const session_most& most, const session_use& used);

    void add(const session_use& used);
    // What is used up: of its time / of all; then no command is started.
    [[nodiscard]] short_of over_time() const;
    [[nodiscard]] short_of over() const;
    // "the session has used up its 600 s of CPU time", ...
    [[nodiscard]] std::string text(short_of what) const;

    [[nodiscard]] bool bounds_cpu() const { return most_.cpu.count() != 0; }
    [[nodiscard]] bool bounds_wall() const { return most_.wall.count() != 0; }
    [[nodiscard]] bool bounds_output() const { return most_.output_bytes != 0; }
    // Of what is bounded. Zero or less: it is used up.
    [[nodiscard]] std::chrono::microseconds cpu_left() const
    {
        return most_.cpu - std::chrono::microseconds{cpu_us_.load()};
    }
    [[nodiscard]] std::chrono::milliseconds wall_left() const
    {
        return most_.wall - std::chrono::milliseconds{wall_ms_.load()};
    }
    [[nodiscard]] std::uint64_t output_left() const; // 0: it is used up

private:
    const session_most most_;
    std::atomic<std::int64_t> cpu_us_;
    std::atomic<std::int64_t> wall_ms_;
    std::atomic<std::uint64_t> output_bytes_;
};

class session_accounts {
public:
    // Without any bound there are no accounts.
    explicit session_accounts(const session_most& most) : most_(most) {}

    // Whether commands of that session are to have one.
    [[nodiscard]] bool bounds(const base::session_id& session) const;
    // Whether open() has to come before the first command of the session.
    [[nodiscard]] bool wants(const base::session_id& session) const;
    // The account, which begins with `used_before` if it is new. It is kept as long as somebody
    // holds it, and until there are too many others; what its foreground commands have used is
    // forgotten with it.
    std::shared_ptr<session_account> open(
        const base::session_id& session, const session_use& used_before);
    // Null: it is not bounded, or was not opened.
    [[nodiscard]] std::shared_ptr<session_account> of(const base::session_id& session) const;

private:
    const session_most most_;
    mutable std::mutex lock_; // of all below
    // Shared with the live sessions and the commands that run. Bounded by limits::session_accounts
    // and their number.
    std::unordered_map<base::session_id, std::shared_ptr<session_account>> all_;
};

} // namespace agentd::jobs
