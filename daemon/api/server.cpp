#include "api/server.hpp"

#include "api/connection.hpp"
#include "api/problem.hpp"
#include "base/log.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>

namespace agentd::api {
namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;

// Out of descriptors or memory: others may free some soon. Of any other error, so that one that
// stays (EINVAL: the socket was shut down) does not spin.
constexpr auto accept_again = std::chrono::milliseconds{100};

enum class accept_outcome { taken, none_left, failed };

accept_outcome accept_one(int listening, base::unique_fd& connected)
{
    connected.reset(::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (connected)
        return accept_outcome::taken;
    return errno == EAGAIN ? accept_outcome::none_left : accept_outcome::failed;
}

} // namespace

server::server(
    aio::executor io, base::unique_fd listening, const parts& from, const options& bounds)
    : io_(std::move(io)),
      strand_(aio::make_strand(io_)),
      listening_(std::move(listening)),
      all_(from, bounds),
      group_(strand_)
{
    const int flags = ::fcntl(listening_.get(), F_GETFL);
    ::fcntl(listening_.get(), F_SETFL, flags | O_NONBLOCK); // systemd's are blocking
}

void server::start()
{
    asio::post(strand_, [this] { group_.spawn("api listener", accept_all()); });
}

void server::drain()
{
    all_.draining = true;
}

aio::awaitable<> server::stop()
{
    auto ending = end_all();
    co_await aio::on(strand_, std::move(ending));
}

aio::awaitable<> server::end_all()
{
    stopping_ = true; // what was accepted just now would miss the cancelling
    group_.cancel();
    co_await group_.join();
}

void server::take(base::unique_fd connected)
{
    if (stopping_)
        return;
    auto who = peer_of(connected.get());
    if (!who)
        return; // gone again
    const std::uint32_t uid = who->uid;
    if (auto place = all_.clients.admit(uid)) {
        auto serving = serve(all_, std::move(connected), std::move(*who), std::move(*place));
        group_.spawn_on(aio::make_strand(io_), "api connection", std::move(serving));
        return;
    }
    all_.clients.count_answer(problems::too_many_connections.status);
    if (auto place = all_.clients.refuse(uid)) {
        auto refusing = turn_away(all_, std::move(connected), std::move(*place));
        group_.spawn_on(aio::make_strand(io_), "api refusal", std::move(refusing));
        return;
    }
    const std::string text = turned_away_text();
    (void)::send(connected.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

aio::awaitable<> server::accept_all()
{
    stream_protocol::acceptor acceptor{strand_};
    boost::system::error_code failure;
    acceptor.assign(stream_protocol{}, listening_.get(), failure);
    if (failure) {
        log::error("api.cannot_listen", {}, "cannot accept connections: {}", failure.message());
        co_return;
    }
    const int listening = listening_.release(); // the acceptor's now
    bool complained = false;
    while (!stopping_) {
        base::unique_fd connected;
        const auto outcome = accept_one(listening, connected);
        if (outcome == accept_outcome::taken) {
            complained = false;
            take(std::move(connected));
            co_await asio::post(strand_, asio::use_awaitable); // a flood must not keep stop() off
        } else if (outcome == accept_outcome::failed) {
            const int why = errno;
            if (!std::exchange(complained, true))
                log::warning(
                    "api.accept", {}, "{}", base::system_error("accept a connection", why).text);
            co_await aio::sleep_for(accept_again);
        } else {
            co_await acceptor.async_wait(stream_protocol::acceptor::wait_read,
                asio::redirect_error(asio::use_awaitable, failure));
            co_await aio::rethrow_if_cancelled();
        }
    }
}

} // namespace agentd::api
