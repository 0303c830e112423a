#include "jobs/pump.hpp"

#include "base/log.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace agentd::jobs {

namespace asio = boost::asio;

namespace {

// So many reads without a pause, then others of the same thread have their turn.
constexpr int reads_in_a_row = 8;

} // namespace

pump::pump(const aio::executor& strand, base::unique_fd pipe, output_sink& sink, bell& ended)
    : pipe_(strand), sink_(sink), ended_(ended), may_read_(std::numeric_limits<std::size_t>::max())
{
    boost::system::error_code refused;
    pipe_.assign(pipe.get(), refused);
    if (refused) {
        log::warning("job.output_lost", {}, "cannot watch a pipe: {}", refused.message());
        at_end_ = true;
        return;
    }
    [[maybe_unused]] const int owned = pipe.release();
}

aio::awaitable<> pump::run()
{
    int reads = 0;
    while (!at_end_) {
        if (sink_.room().empty()) {
            co_await sink_.wait_for_room();
            continue;
        }
        const got what = read_once();
        if (what == got::end || (what == got::nothing && finishing_))
            break;
        if (what == got::bytes && ++reads < reads_in_a_row)
            continue;
        reads = 0;
        if (what == got::bytes) {
            co_await asio::post(asio::use_awaitable);
            continue;
        }
        boost::system::error_code woken; // also by finish_soon()
        co_await pipe_.async_wait(asio::posix::descriptor_base::wait_read,
            asio::redirect_error(asio::use_awaitable, woken));
    }
    close();
}

pump::got pump::read_once()
{
    const auto room = sink_.room();
    const auto want = std::min(room.size(), may_read_);
    if (want == 0)
        return got::end;
    const auto n = ::read(pipe_.native_handle(), room.data(), want);
    if (n > 0) {
        const auto bytes = static_cast<std::size_t>(n);
        if (finishing_)
            may_read_ -= bytes;
        sink_.commit(bytes);
        return got::bytes;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return got::nothing; // an interrupted one is found readable again
    return got::end;
}

void pump::finish_soon()
{
    if (at_end_ || finishing_)
        return;
    finishing_ = true;
    int in_pipe = 0;
    ::ioctl(pipe_.native_handle(), FIONREAD, &in_pipe);
    may_read_ = static_cast<std::size_t>(std::max(in_pipe, 0));
    boost::system::error_code ignored;
    pipe_.cancel(ignored);
}

void pump::close()
{
    boost::system::error_code ignored;
    pipe_.close(ignored);
    at_end_ = true;
    ended_.ring();
}

} // namespace agentd::jobs
