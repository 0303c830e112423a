#include "jobs/supervisor.hpp"

#include "base/log.hpp"

#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace agentd::jobs {

namespace asio = boost::asio;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

supervisor::supervisor(aio::executor strand, environment& shared, settings with)
    : strand_(std::move(strand)),
      shared_(shared),
      with_(std::move(with)),
      wake_(strand_),
      watchers_(strand_),
      reading_(strand_)
{}

void supervisor::stop(stopped_by who)
{
    if (asked_)
        return;
    asked_ = who;
    wake_.ring();
}

aio::awaitable<outcome> supervisor::run(command what, output_sink& sink)
{
    launch_plan plan{.text = std::move(what.text),
        .workdir_fd = what.workdir_fd,
        .env = std::move(what.env),
        .descriptor_limit = shared_.settings.descriptor_limit};
    const auto began = clock::now();
    auto started = shared_.children.launch(std::move(plan));
    if (!started) {
        outcome failed;
        failed.how = ended::error;
        failed.reason = std::move(started.error().text);
        co_return failed;
    }
    auto output = std::move(started->output);
    auto shell = leader::attach(strand_, shared_.children, std::move(*started));
    if (!shell) {
        outcome failed;
        failed.how = ended::error;
        failed.reason = std::move(shell.error().text);
        co_return failed;
    }
    co_return co_await supervise(std::move(*shell), std::move(output), began, what.timeout, sink);
}

aio::awaitable<outcome> supervisor::supervise(std::unique_ptr<leader> shell, base::unique_fd output,
    base::mono_time began, milliseconds timeout, output_sink& sink)
{
    shell_ = std::move(shell);
    pump reading{strand_, std::move(output), sink, wake_};
    reading_.start("command output", reading.run());
    watchers_.spawn("command exit", ring_when_exited());

    const job_state::settings rules{.timeout = timeout,
        .grace = shared_.settings.grace,
        .keep_leftovers = with_.keep_leftovers};
    job_state state{rules, began};
    tree processes{shared_.children, shell_->id(), with_.variable};
    co_await end_tree(state, processes);
    watchers_.cancel();
    co_await watchers_.join();
    outcome end;
    end.wall = duration_cast<milliseconds>(state.ended_at() - began);
    collect(state, processes, end);
    shell_.reset();

    const auto drained_by = clock::now() + shared_.settings.drain;
    while (!reading.at_end() && clock::now() < drained_by)
        co_await wake_.wait_until(drained_by);
    reading.finish_soon();
    co_await reading_.join();
    co_return end;
}

aio::awaitable<> supervisor::end_tree(job_state& state, tree& processes)
{
    for (;;) {
        co_await notice_abort(state);
        const bool exited = shell_->look().has_value();
        if (exited)
            state.shell_exited(clock::now());
        if (asked_)
            state.stop(*asked_);
        switch (state.next(clock::now())) {
        case job_state::step::wait:
            if (exited)
                watch_member(processes);
            co_await wake_.wait_until(state.wake_at());
            break;
        case job_state::step::look:
            processes.look(!exited);
            state.saw(processes.living());
            break;
        case job_state::step::terminate: processes.terminate(); break;
        case job_state::step::kill: processes.kill(); break;
        case job_state::step::finish:
        case job_state::step::give_up: co_return;
        }
    }
}

// A cancellation of the owner, once; after it nothing interrupts the end any more.
aio::awaitable<> supervisor::notice_abort(job_state& state)
{
    const auto cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() == asio::cancellation_type::none)
        co_return;
    const auto off = asio::disable_cancellation();
    co_await asio::this_coro::reset_cancellation_state(off);
    aborted_ = true;
    if (with_.gentle_abort)
        stop(stopped_by::user);
    else
        state.abort(clock::now());
}

aio::awaitable<> supervisor::ring_when_exited()
{
    co_await shell_->exited();
    wake_.ring();
}

aio::awaitable<> supervisor::ring_when_dead(int pidfd)
{
    asio::posix::basic_stream_descriptor<aio::executor> process{strand_};
    boost::system::error_code failed;
    process.assign(pidfd, failed);
    if (failed)
        ::close(pidfd);
    else
        co_await process.async_wait(asio::posix::descriptor_base::wait_read,
            asio::redirect_error(asio::use_awaitable, failed));
    watching_member_ = false;
    wake_.ring();
}

// Someone's death is enough: it leads to the next look.
void supervisor::watch_member(const tree& processes)
{
    if (watching_member_ || processes.some_member() < 0)
        return;
    const int own = ::fcntl(processes.some_member(), F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        return; // out of descriptors: the next round of the state looks again
    watching_member_ = true;
    watchers_.spawn("leftover exit", ring_when_dead(own));
}

void supervisor::collect(const job_state& state, const tree& processes, outcome& into)
{
    into.how = state.how();
    into.by = state.by();
    into.leftovers = state.leftovers();
    into.unstoppable = processes.unstoppable();
    const auto shell_id = shell_->id();
    auto status = shell_->look();
    if (!status) { // given up: not even KILL has ended it
        into.unstoppable += processes.living() + 1;
        log::warning("job.unstoppable", {}, "process {} does not end", shell_id.pid);
        shell_->abandon();
        return;
    }
    into.exit_code = status->code;
    into.signal = status->signal;
    status->used.add(shell_->reap());
    into.cpu = duration_cast<milliseconds>(status->used.cpu);
    into.peak_bytes = status->used.peak_bytes;
}

} // namespace agentd::jobs
