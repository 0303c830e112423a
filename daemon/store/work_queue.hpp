// Works on their way from any strand to one of the store's threads. Bounded: a full queue
// refuses (the coroutines that wait for a work bound it far below that). Any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace agentd::store {

template <class T>
class work_queue {
public:
    enum class refusal { full, closed };

    explicit work_queue(std::size_t capacity) : capacity_(capacity) {}

    // Takes `item` over, unless it is refused.
    [[nodiscard]] std::optional<refusal> push(T& item)
    {
        bool wake = false;
        {
            const std::lock_guard lock{mutex_};
            if (closed_)
                return refusal::closed;
            if (items_.size() >= capacity_)
                return refusal::full;
            items_.push_back(std::move(item));
            wake = sleeping_;
        }
        if (wake)
            arrived_.notify_one();
        return std::nullopt;
    }

    // Fills `out` with up to `most` items; waits for the first one, at most `patience` (then
    // `out` stays empty). False when the queue is closed and empty.
    [[nodiscard]] bool take(std::vector<T>& out, std::size_t most,
        std::optional<std::chrono::milliseconds> patience = std::nullopt)
    {
        std::unique_lock lock{mutex_};
        const auto ready = [this] { return !items_.empty() || closed_; };
        sleeping_ = true;
        if (patience)
            arrived_.wait_for(lock, *patience, ready);
        else
            arrived_.wait(lock, ready);
        sleeping_ = false;
        while (!items_.empty() && out.size() < most) {
            out.push_back(std::move(items_.front()));
            items_.pop_front();
        }
        return !out.empty() || !closed_;
    }

    // Refuses what comes; what is there is still to be taken.
    void close()
    {
        {
            const std::lock_guard lock{mutex_};
            closed_ = true;
        }
        arrived_.notify_one();
    }

private:
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<T> items_;
    std::size_t capacity_;
    bool sleeping_ = false;
    bool closed_ = false;
};

} // namespace agentd::store
