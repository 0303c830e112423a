// Who may run now: at most so many commands of the daemon and of one session run at once,
// the rest wait; a place that becomes free goes to the sessions in turn.
// Callable from any strand; the bookkeeping is on a strand of its own.
#pragma once

#include "aio/awaitable.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"

#include <cstddef>
#include <memory>
#include <string_view>

namespace agentd::jobs {

enum class errc {
    queue_full = 1, // as many of the session wait as may
    no_output,      // the spool has nothing of that name (never written, or dropped)
    io,             // the disk refused
    used_up,        // the session's bounds allow no more commands
};

[[nodiscard]] std::string_view error_text(errc);

} // namespace agentd::jobs

AGENTD_ERROR_ENUM(agentd::jobs)

namespace agentd::jobs {

struct caps {
    std::size_t per_session;
    std::size_t per_daemon;
    std::size_t queued_per_session;
};

namespace detail {
struct places_state;
struct waiter;
} // namespace detail

// A place or a number in the queue; destroying it gives it back. Used on the strand of the
// coroutine that entered; may be destroyed anywhere.
class place {
public:
    place() = default; // none: granted() is true, for what needs no place
    place(place&&) noexcept = default;
    place& operator=(place&& other) noexcept;
    ~place();

    // Whether it is a place by now; false while queued.
    [[nodiscard]] bool granted() const;
    // Goes on once it is, or leave() was called. Throws operation_aborted when cancelled.
    aio::awaitable<> wait() const;
    // Wakes who waits although nothing was granted; destroying it then leaves the queue.
    void leave();

private:
    friend class places;
    place(std::shared_ptr<detail::places_state> owner, std::shared_ptr<detail::waiter> waiter);
    void give_back();

    std::shared_ptr<detail::places_state> owner_;
    std::shared_ptr<detail::waiter> waiter_;
};

class places {
public:
    places(const aio::executor& io, caps limits);
    ~places();

    // A place at once or a number in the queue (place::granted() tells); errc::queue_full.
    aio::awaitable<base::result<place>> enter(base::session_id session);

    // Other caps from now on: who has a place keeps it, who waits gets one where there are more.
    void change(caps limits);

    struct counts {
        std::size_t running = 0;
        std::size_t queued = 0;
    };
    aio::awaitable<counts> count();

private:
    std::shared_ptr<detail::places_state> state_; // shared: places given out hold it, too
};

} // namespace agentd::jobs
