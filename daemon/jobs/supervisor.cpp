#include "jobs/supervisor.hpp"

#include "base/bound_limits.hpp"
#include "base/log.hpp"
#include "jobs/stalls.hpp"

#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/posix/descriptor_base.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace agentd::jobs {

namespace asio = boost::asio;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

namespace {

outcome not_started(std::string reason)
{
    outcome failed;
    failed.how = ended::error;
    failed.reason = std::move(reason);
    return failed;
}

} // namespace

supervisor::supervisor(aio::executor strand, environment& shared, settings with)
    : strand_(std::move(strand)),
      shared_(shared),
      with_(std::move(with)),
      variable_(with_.variable),
      wake_(strand_),
      watchers_(strand_),
      reading_(strand_)
{}

void supervisor::stop(stopped_by who)
{
    if (asked_)
        return;
    asked_ = who;
    unwanted_ = true;
    wake_.ring();
}

struct supervisor::birth {
    base::mono_time began;
    base::result<launched> child;
};

std::optional<supervisor::birth> supervisor::launch(const launch_plan& plan)
{
    if (unwanted_)
        return std::nullopt;
    const auto now = clock::now();
    return birth{now, shared_.children.launch(plan)};
}

// Launches are done one after the other: it may have been stopped when its turn comes.
aio::awaitable<std::optional<supervisor::birth>> supervisor::launch_in_turn(launch_plan plan)
{
    const auto cancelling = co_await asio::this_coro::cancellation_state;
    auto slot = cancelling.slot();
    if (slot.is_connected()) // somebody may cancel it
        slot.assign([this](asio::cancellation_type) { unwanted_ = true; });
    if (cancelling.cancelled() != asio::cancellation_type::none)
        unwanted_ = true;
    auto work = [this, order = std::move(plan)] { return launch(order); };
    auto started = co_await shared_.launching.run(std::move(work));
    slot.clear();
    co_return started;
}

aio::awaitable<outcome> supervisor::stopped_before()
{
    const auto cancelled = co_await asio::this_coro::cancellation_state;
    aborted_ = cancelled.cancelled() != asio::cancellation_type::none;
    outcome end;
    end.how = ended::killed;
    end.by = asked_.value_or(stopped_by::user);
    co_return end;
}

aio::awaitable<outcome> supervisor::run(command what, output_sink& sink)
{
    most_ = tightest(shared_.settings.most, what.most);
    account_ = shared_.accounts.of(what.session);
    if (auto why = session_refusal(what.session); !why.empty())
        co_return not_started(std::move(why));
    if (auto own = shared_.leaves.take(what.session)) {
        group_.emplace(std::move(*own));
        if (const int failed = group_->limit(held_here(most_)); failed != 0)
            co_return not_started(
                base::system_error("hold the command to its bounds", failed).text);
    } else if (needs_leaf()) {
        co_return not_started("cannot hold the command to its bounds: there is no control group");
    }
    launch_plan plan{.text = std::move(what.text),
        .workdir_fd = what.workdir_fd,
        .env = std::move(what.env),
        .descriptor_limit = shared_.settings.descriptor_limit,
        .cpu_limit = kernel_cpu_limit(),
        .file_limit = static_cast<std::uint64_t>(most_.file_bytes),
        .cgroup_fd = group_ ? group_->fd() : -1,
        .only_in_cgroup = needs_leaf(),
        .input = with_.input != nullptr ? what.input : input::none};
    auto born = co_await launch_in_turn(std::move(plan));
    if (!born)
        co_return co_await stopped_before();
    auto started = std::move(born->child);
    if (!started)
        co_return not_started(std::move(started.error().text));
    began_ = born->began;
    if (started->cgroup_error != 0) {
        shared_.leaves.refused(started->cgroup_error);
        group_.reset();
    }
    if (!started->variable.empty())
        variable_ = started->variable;
    auto output = std::move(started->output);
    auto input = std::move(started->input);
    auto terminal = std::move(started->terminal);
    auto shell = leader::attach(strand_, shared_.children, std::move(*started));
    if (!shell) {
        if (group_) [[maybe_unused]]
            const bool killed = group_->kill(); // else it is killed when removed
        co_return not_started(std::move(shell.error().text));
    }
    if (with_.input != nullptr)
        with_.input->open(std::move(input), std::move(terminal));
    if (with_.launched)
        with_.launched((*shell)->id().pid);
    co_return co_await supervise(std::move(*shell), std::move(output), what.timeout, sink);
}

aio::awaitable<outcome> supervisor::supervise(
    std::unique_ptr<leader> shell, base::unique_fd output, milliseconds timeout, output_sink& sink)
{
    shell_ = std::move(shell);
    const auto most_output = static_cast<std::uint64_t>(most_.output_bytes);
    pump reading{strand_, std::move(output), sink, wake_, most_output, account_.get()};
    reading_.start("command output", reading.run());
    watchers_.spawn("command exit", ring_when_exited());

    const job_state::settings rules{.timeout = timeout,
        .grace = shared_.settings.grace,
        .keep_leftovers = with_.keep_leftovers};
    job_state state{rules, began_};
    tree processes{shared_.children, shell_->id(), variable_, group_ ? &*group_ : nullptr};
    if (!reading.refusal().empty()) // it would only be told that nobody reads
        state.abort(clock::now());
    if (with_.input != nullptr && shared_.settings.stall.count() != 0)
        watchers_.spawn("command stall",
            watch_for_stalls({shared_, *shell_, processes, reading, *with_.input, with_.stalled}));
    co_await end_tree(state, processes, reading);
    if (with_.input != nullptr)
        with_.input->end();
    watchers_.cancel();
    co_await watchers_.join();
    outcome end;
    end.wall = duration_cast<milliseconds>(state.ended_at() - began_);
    collect(state, processes, end);
    shell_.reset();
    group_.reset();

    const auto drained_by = clock::now() + shared_.settings.drain;
    while (!reading.at_end() && clock::now() < drained_by)
        co_await wake_.wait_until(drained_by);
    reading.finish_soon();
    co_await reading_.join();
    name_cause(state, reading, end);
    if (!reading.refusal().empty()) {
        end.how = ended::error;
        end.reason = reading.refusal();
    }
    co_return end;
}

aio::awaitable<> supervisor::end_tree(job_state& state, tree& processes, const pump& output)
{
    for (;;) {
        co_await notice_abort(state);
        const bool exited = shell_->look().has_value();
        if (exited)
            state.shell_exited(clock::now());
        if (asked_)
            state.stop(*asked_);
        if (output.over()) {
            if (with_.input != nullptr)
                with_.input->end(); // of a terminal it keeps both sides open
            state.stop(stopped_by::disk);
        }
        watch_use(state, processes);
        switch (state.next(clock::now())) {
        case job_state::step::wait: {
            // Without descriptors to watch with, it is looked at now and then.
            const bool watched = !exited || watch_rest(processes);
            const auto soon =
                watched ? clock::time_point::max() : clock::now() + limits::unwatched_pause;
            const auto at_latest = std::min({state.wake_at(), soon, use_check_});
            co_await wake_.wait_until(at_latest);
            break;
        }
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

aio::awaitable<> supervisor::ring_at(descriptor sign, bool urgent)
{
    const auto what =
        urgent ? asio::posix::descriptor_base::wait_error : asio::posix::descriptor_base::wait_read;
    boost::system::error_code failed;
    co_await sign.async_wait(what, asio::redirect_error(asio::use_awaitable, failed));
    watching_rest_ = false;
    wake_.ring();
}

// Whether a change among those that live beside the shell rings: it leads to the next look.
bool supervisor::watch_rest(const tree& processes)
{
    if (watching_rest_)
        return true;
    auto sign = processes.next_sign();
    if (!sign.fd)
        return false;
    if (sign.given) {
        wake_.ring();
        return true;
    }
    descriptor watched{strand_};
    boost::system::error_code refused; // epoll has its own bounds
    watched.assign(sign.fd.get(), refused);
    if (refused)
        return false;
    [[maybe_unused]] const int owned = sign.fd.release();
    watching_rest_ = true;
    watchers_.spawn("leftover exit", ring_at(std::move(watched), sign.urgent));
    return true;
}

void supervisor::collect(const job_state& state, const tree& processes, outcome& into)
{
    into.how = state.how();
    into.by = state.by();
    into.leftovers = state.leftovers();
    into.unstoppable = processes.unstoppable();
    auto status = shell_->look();
    if (state.gave_up()) { // not even KILL has ended them
        const auto left = processes.living() + (status ? 0U : 1U);
        into.unstoppable += left;
        into.leftovers -= std::min(into.leftovers, processes.living());
        shared_.note_given_up(processes.list(!status));
        log::warning("job.unstoppable", {},
            "{} processes of the command with the shell {} do not end", left, shell_->id().pid);
    }
    if (!status) {
        shell_->abandon();
        return;
    }
    into.exit_code = status->code;
    into.signal = status->signal;
    if (status->error != 0 && into.how == ended::completed) {
        into.how = ended::error;
        into.reason = base::system_error("learn how the command ended", status->error).text;
    }
    const auto inherited_peak = shell_->inherited_peak();
    status->used.add(shell_->reap());
    const auto bill = group_ ? group_->bill() : group_bill{};
    const auto cpu = bill.cpu.value_or(status->used.cpu);
    charge({.cpu = cpu, .wall = into.wall});
    into.cpu = duration_cast<milliseconds>(cpu);
    into.peak_bytes = bill.peak_bytes;
    if (!into.peak_bytes && status->used.peak_bytes > inherited_peak)
        into.peak_bytes = status->used.peak_bytes;
    into.oom = bill.oom;
    short_of_ = bill.short_of;
}

} // namespace agentd::jobs
