#include "jobs/places.hpp"

#include "aio/flag.hpp"
#include "jobs/fair_queue.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <unordered_map>

namespace agentd::jobs {

std::string_view error_text(errc condition)
{
    switch (condition) {
    case errc::queue_full: return "too many jobs are waiting";
    case errc::no_output: return "there is no output";
    case errc::io: return "the disk refused";
    case errc::used_up: return "the session's bounds are used up";
    }
    return "unknown";
}

namespace detail {

// One entry: known to its place (on the home strand) and to the queue (on the queue's strand).
struct waiter {
    waiter(aio::executor where, base::session_id whose, fair_queue::ticket number)
        : home(std::move(where)), session(std::move(whose)), ticket(number), woken(home)
    {}

    const aio::executor home;
    const base::session_id session;
    const fair_queue::ticket ticket;
    // On the home strand:
    bool granted = false;
    aio::flag woken; // granted, or left
};

struct places_state {
    places_state(const aio::executor& io, caps limits) : strand(aio::make_strand(io)), queue(limits)
    {}

    aio::executor strand;
    // On `strand`:
    fair_queue queue;
    fair_queue::ticket last_ticket = 0;
    std::unordered_map<fair_queue::ticket, std::shared_ptr<waiter>> waiting;

    void leave(const waiter& who)
    {
        waiting.erase(who.ticket);
        grant(queue.leave(who.session, who.ticket));
    }
    void grant(const std::vector<fair_queue::ticket>& tickets)
    {
        for (const auto ticket : tickets) {
            auto entry = waiting.extract(ticket);
            auto next = std::move(entry.mapped());
            boost::asio::post(next->home, [next] {
                next->granted = true;
                next->woken.raise();
            });
        }
    }
};

namespace {

using entered = base::result<std::shared_ptr<waiter>>;

aio::awaitable<entered> enter_queue(
    std::shared_ptr<places_state> places, aio::executor home, base::session_id session)
{
    const auto number = ++places->last_ticket;
    auto who = std::make_shared<waiter>(std::move(home), std::move(session), number);
    switch (places->queue.enter(who->session, number)) {
    case fair_queue::entry::refused:
        co_return std::unexpected(
            base::error{errc::queue_full, "too many commands of this session are waiting"});
    case fair_queue::entry::granted: who->granted = true; break;
    case fair_queue::entry::queued: places->waiting.emplace(number, who); break;
    }
    co_return who;
}

aio::awaitable<places::counts> count_queue(std::shared_ptr<places_state> places)
{
    co_return places::counts{places->queue.running(), places->queue.queued()};
}

} // namespace
} // namespace detail

place::place(std::shared_ptr<detail::places_state> owner, std::shared_ptr<detail::waiter> waiter)
    : owner_(std::move(owner)), waiter_(std::move(waiter))
{}

place& place::operator=(place&& other) noexcept
{
    give_back();
    owner_ = std::move(other.owner_);
    waiter_ = std::move(other.waiter_);
    return *this;
}

place::~place()
{
    give_back();
}

void place::give_back()
{
    if (!owner_)
        return;
    const auto strand = owner_->strand;
    boost::asio::post(strand,
        [owner = std::move(owner_), waiter = std::move(waiter_)] { owner->leave(*waiter); });
    owner_.reset();
    waiter_.reset();
}

bool place::granted() const
{
    return !waiter_ || waiter_->granted;
}

void place::leave()
{
    if (waiter_ && !waiter_->granted)
        waiter_->woken.raise();
}

aio::awaitable<> place::wait() const
{
    if (granted())
        co_return;
    co_await waiter_->woken.wait();
}

places::places(const aio::executor& io, caps limits)
    : state_(std::make_shared<detail::places_state>(io, limits))
{}

places::~places() = default;

aio::awaitable<base::result<place>> places::enter(base::session_id session)
{
    const auto home = co_await boost::asio::this_coro::executor;
    auto entered =
        co_await aio::on(state_->strand, detail::enter_queue(state_, home, std::move(session)));
    if (!entered)
        co_return std::unexpected(std::move(entered.error()));
    co_return place{state_, std::move(*entered)};
}

void places::change(caps limits)
{
    const auto strand = state_->strand;
    boost::asio::post(strand, [own = state_, limits] { own->grant(own->queue.change(limits)); });
}

aio::awaitable<places::counts> places::count()
{
    auto counting = detail::count_queue(state_);
    co_return co_await aio::on(state_->strand, std::move(counting));
}

} // namespace agentd::jobs
