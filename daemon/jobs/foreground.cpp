#include "jobs/foreground.hpp"

#include "jobs/capture.hpp"
#include "jobs/environment.hpp"
#include "jobs/supervisor.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

namespace agentd::jobs {

namespace asio = boost::asio;

foreground::foreground(aio::executor strand, environment& shared, base::session_id session)
    : strand_(std::move(strand)), shared_(shared), session_(std::move(session))
{}

bool foreground::has_controller(std::string_view name) const
{
    return shared_.has_controller(name);
}

aio::awaitable<outcome> foreground::run(command what)
{
    auto entered = co_await shared_.command_places.enter(session_);
    if (!entered) {
        outcome refused;
        refused.how = ended::error;
        refused.reason = std::move(entered.error().text);
        co_return refused;
    }
    const place turn = std::move(*entered);
    co_await turn.wait();
    co_await aio::rethrow_if_cancelled();

    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    capture output;
    supervisor::settings gently{.gentle_abort = true};
    supervisor process{strand_, shared_, std::move(gently)};
    what.session = session_;
    auto end = co_await process.run(std::move(what), output);
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (process.aborted())
        throw boost::system::system_error{asio::error::operation_aborted};
    end.output_bytes = output.kept().total();
    end.output = output.kept().take();
    co_return end;
}

} // namespace agentd::jobs
