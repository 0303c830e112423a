// Who is connected: the caps on connections, and the counts for /metrics. Any thread.
#pragma once

#include "api/options.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace agentd::api {

class census {
public:
    // `bounds` outlives the census.
    explicit census(const options& bounds) : bounds_(&bounds) {}

    // A connection's place; given back when it dies. Outlived by the census.
    class seat {
    public:
        seat(seat&& other) noexcept
            : owner_(std::exchange(other.owner_, nullptr)), uid_(other.uid_), extra_(other.extra_)
        {}
        seat(const seat&) = delete;
        seat& operator=(const seat&) = delete;
        seat& operator=(seat&&) = delete;
        ~seat();

    private:
        friend class census;
        seat(census& owner, std::uint32_t uid, bool extra)
            : owner_(&owner), uid_(uid), extra_(extra)
        {}
        census* owner_;
        std::uint32_t uid_;
        bool extra_;
    };

    // nullopt: too many, in all or of this uid.
    [[nodiscard]] std::optional<seat> admit(std::uint32_t uid);
    // A place to hear that there is none; nullopt when even those are taken.
    [[nodiscard]] std::optional<seat> refuse(std::uint32_t uid);

    void count_answer(int status);

    [[nodiscard]] std::size_t connections() const;
    // Answers so far with a status of CLASS hundred and something.
    [[nodiscard]] std::uint64_t answers(std::size_t status_class) const;

private:
    const options* bounds_;
    mutable std::mutex guard_;
    std::map<std::uint32_t, std::size_t> by_uid_;
    std::size_t all_ = 0;
    std::size_t refusals_ = 0;
    std::array<std::atomic<std::uint64_t>, 6> answers_{};
};

} // namespace agentd::api
