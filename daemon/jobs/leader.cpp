#include "jobs/leader.hpp"

#include "jobs/procfs.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
// Process v2 of Boost 1.81 uses names of these two without including them, so it comes last.
// clang-format off
#include <boost/optional.hpp>
#include <boost/type_traits.hpp>
#include <boost/process/v2/process.hpp>
// clang-format on

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <csignal>

namespace agentd::jobs {

namespace process = boost::process::v2;
using descriptor = boost::asio::posix::basic_stream_descriptor<aio::executor>;

// Takes each descriptor over at once when its handle has it: what throws afterwards finds none
// of them owned twice.
struct leader::handles {
    handles(const aio::executor& strand, launched& from)
        : watch(strand, from.watch.get()), child(strand, from.id.pid, after_watch(from))
    {
        [[maybe_unused]] const int owned = from.pidfd.release();
    }

    static int after_watch(launched& from)
    {
        [[maybe_unused]] const int owned = from.watch.release();
        return from.pidfd.get();
    }

    descriptor watch;
    process::basic_process<aio::executor> child;
};

namespace {

// A child that nobody can watch: it is ended here and now, which takes no time that counts.
base::error end_unwatched(children& all, const launched_id& id, const std::error_code& why)
{
    ::kill(-id.pid, SIGKILL);
    all.reap(id, [pid = id.pid] {
        while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
        }
    });
    return base::error{why, "cannot watch the process: " + why.message()};
}

} // namespace

base::result<std::unique_ptr<leader>> leader::attach(
    const aio::executor& strand, children& all, launched from)
{
    // The handles register at the reactor, which throws when the kernel refuses.
    try {
        auto open = std::make_unique<handles>(strand, from);
        return std::unique_ptr<leader>{new leader{all, from, std::move(open)}};
    } catch (const boost::system::system_error& refused) {
        return std::unexpected(end_unwatched(all, from.id, refused.code()));
    }
}

leader::leader(children& all, const launched& from, std::unique_ptr<handles> open)
    : all_(all), id_(from.id), inherited_peak_(from.inherited_peak), handles_(std::move(open))
{}

leader::~leader()
{
    assert(handles_ == nullptr && "a shell is reaped before its handle goes");
}

aio::awaitable<> leader::exited()
{
    // With several threads the reactor may tell of an event of the descriptor that had the
    // number before.
    do
        co_await handles_->watch.async_wait(descriptor::wait_read, boost::asio::use_awaitable);
    while (!has_died(handles_->watch.native_handle()));
}

std::optional<exit_status> leader::look() const
{
    siginfo_t info{};
    rusage used{};
    const int flags = WEXITED | WNOHANG | WNOWAIT;
    long failed = 0;
    do
        failed = ::syscall(SYS_waitid, P_PID, id_.pid, &info, flags, &used);
    while (failed != 0 && errno == EINTR);
    exit_status status{.code = {}, .signal = {}, .used = usage_of(used)};
    const int error = failed == 0 ? 0 : errno;
    if (error != 0 && has_died(handles_->watch.native_handle())) { // reaped by somebody: a bug
        status.error = error;
        return status;
    }
    if (error != 0 || info.si_pid != id_.pid)
        return std::nullopt;
    if (info.si_code == CLD_EXITED)
        status.code = info.si_status;
    else
        status.signal = info.si_status;
    return status;
}

usage leader::reap()
{
    auto open = std::move(handles_);
    const auto used = all_.reap(id_, [&child = open->child] {
        boost::system::error_code failed;
        [[maybe_unused]] const bool runs = child.running(failed); // waits without blocking
        assert(!runs);
    });
    // The handle still knows the number, which is free now: its destructor must not use it.
    open->child.detach();
    return used;
}

void leader::abandon()
{
    auto open = std::move(handles_);
    all_.reap(id_, [] {});
    open->child.detach();
}

} // namespace agentd::jobs
