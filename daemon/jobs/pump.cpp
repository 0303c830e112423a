#include "jobs/pump.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "jobs/session_accounts.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <poll.h>
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

pump::pump(const aio::executor& strand, base::unique_fd pipe, output_sink& sink, bell& ended,
    std::uint64_t most, session_account* account)
    : pipe_(strand),
      sink_(sink),
      ended_(ended),
      account_(account != nullptr && account->bounds_output() ? account : nullptr),
      may_read_(std::numeric_limits<std::size_t>::max()),
      left_(most != 0 ? most : std::numeric_limits<std::uint64_t>::max())
{
    boost::system::error_code refused;
    pipe_.assign(pipe.get(), refused);
    if (refused) {
        refusal_ = "cannot watch the output: " + refused.message();
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
    const auto may = may_take();
    if (may == 0)
        return look_beyond();
    const auto n = ::read(pipe_.native_handle(), room.data(), std::min<std::uint64_t>(want, may));
    if (n > 0) {
        const auto bytes = static_cast<std::size_t>(n);
        total_ += bytes;
        if (finishing_)
            may_read_ -= bytes;
        left_ -= bytes;
        if (account_ != nullptr)
            account_->add({.output_bytes = bytes});
        sink_.commit(bytes);
        return got::bytes;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return got::nothing; // an interrupted one is found readable again
    const int error = n < 0 ? errno : 0;
    // A terminal that nobody has open any more ends like that.
    const bool hung_up = error == EIO && ::isatty(pipe_.native_handle()) == 1;
    if (error != 0 && !hung_up)
        log::warning("job.output_lost", {}, "{}",
            base::system_error("go on reading a command's output", error).text);
    return got::end;
}

// Others of the session read at the same time: each may take too much by one read at the most.
std::uint64_t pump::may_take() const
{
    return account_ == nullptr ? left_ : std::min(left_, account_->output_left());
}

// All that may come has come: is there more?
pump::got pump::look_beyond()
{
    pollfd now{.fd = pipe_.native_handle(), .events = POLLIN, .revents = 0};
    if (::poll(&now, 1, 0) <= 0)
        return got::nothing;
    over_ = (now.revents & POLLIN) != 0;
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
