#include "model/exchange.hpp"

#include "aio/flag.hpp"
#include "base/limits.hpp"
#include "model/error.hpp"
#include "model/reply_parser.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace agentd::model {
namespace {

namespace asio = boost::asio;

// What the two directions of one exchange know of each other.
struct traffic {
    connection& over;
    reply_taker& into;
    const deadlines& limit;
    patience& waiting;
    aio::flag sent;    // the request's last byte
    bool done = false; // nothing that may still fail matters to the reply
    exchange_end end{};
};

aio::awaitable<> until_cancelled()
{
    const auto self = co_await asio::this_coro::executor;
    asio::steady_timer never{self, asio::steady_timer::time_point::max()};
    boost::system::error_code woken;
    co_await never.async_wait(asio::redirect_error(asio::use_awaitable, woken));
}

// Sends everything and then waits for the other side: the reply alone decides how the exchange
// ends. A failure to send is kept back, because the reason may be readable (an early 413).
aio::awaitable<> send(traffic& t, std::span<const std::string_view> slices)
{
    const auto sent = co_await t.over.write(slices);
    if (sent) {
        t.end.sent_at = base::mono_now();
        t.sent.raise();
        if (!t.end.any_byte)
            t.waiting.allow(t.limit.first_byte, "waiting for the first byte of the reply");
    }
    co_await until_cancelled();
}

// The reply was complete before its HTTP message was: its end is on the way.
void hurry(traffic& t)
{
    t.waiting.allow(limits::reply_drain, "waiting for the end of the reply");
}

aio::awaitable<base::result<>> receive(traffic& t)
{
    reply_parser reply;
    while (!reply.is_whole()) {
        const auto room = reply.room();
        auto got = co_await t.over.read_some(room);
        if (!got && reply.has_enough())
            co_return base::result<>{}; // no more connection, but a complete reply
        if (!got && got.error().is(errc::closed)) {
            if (!t.end.any_byte)
                co_return std::unexpected(std::move(got.error()));
            co_return reply.end();
        }
        if (!got)
            co_return std::unexpected(std::move(got.error()));
        const bool was_enough = reply.has_enough();
        t.end.any_byte = true;
        if (auto taken = reply.take(*got, t.into); !taken)
            co_return taken;
        if (!reply.has_enough())
            t.waiting.allow(t.limit.idle, "waiting for more of the reply");
        else if (!was_enough)
            hurry(t);
    }
    t.done = true;
    if (!reply.leaves_reusable())
        co_return base::result<>{};
    // The end of the writing is told by another completion, which may come a moment later than
    // the reply's; after an early reply it may not come at all.
    hurry(t);
    co_await t.sent.wait();
    t.end.reusable = true;
    t.over.server_keeps = reply.kept_for();
    co_return base::result<>{};
}

} // namespace

aio::awaitable<exchange_end> exchange(connection& over, std::span<const std::string_view> slices,
    reply_taker& into, const deadlines& limit)
{
    using namespace asio::experimental::awaitable_operators;
    const auto self = co_await asio::this_coro::executor;
    patience waiting{self};
    traffic t{
        .over = over, .into = into, .limit = limit, .waiting = waiting, .sent = aio::flag{self}};
    waiting.allow_in_all(limit.total);
    waiting.allow(limit.send, "sending the request");
    auto race = receive(t) || send(t, slices) || waiting.run_out();
    auto first = co_await std::move(race);
    co_await aio::rethrow_if_cancelled(); // being cancelled ends all three
    if (first.index() == 0)
        t.end.how = std::get<0>(std::move(first));
    else if (!t.done)
        t.end.how = std::unexpected(base::error{errc::timed_out, waiting.what_ran_out()});
    co_return std::move(t.end);
}

} // namespace agentd::model
