#include "jobs/job.hpp"

#include "aio/task_group.hpp"
#include "base/clock.hpp"
#include "jobs/environment.hpp"
#include "jobs/procfs.hpp"
#include "jobs/spool_log.hpp"
#include "jobs/supervisor.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <cassert>
#include <optional>

namespace agentd::jobs {

namespace asio = boost::asio;

namespace {

std::string id_variable(const base::job_id& id)
{
    return "AGENTD_JOB_ID=" + id.str();
}

using told = std::function<void(process_identity)>;

// `launched` is the job's own and may be filled in later.
supervisor::settings settings_of(
    const base::job_id& id, const environment& shared, const told& launched)
{
    const auto tell = [&launched](pid_t pid) {
        if (launched)
            launched({pid, start_of(pid), boot_id()});
    };
    return {.variable = id_variable(id),
        .keep_leftovers = shared.settings.left_behind == leftovers::keep,
        .launched = tell};
}

command marked(command what, const base::job_id& id)
{
    what.env.push_back(id_variable(id));
    return what;
}

} // namespace

struct job::state {
    state(const aio::executor& strand, environment& shared, const base::job_id& id, command text,
        place its_turn)
        : what(marked(std::move(text), id)),
          turn(std::move(its_turn)),
          log(strand, shared.spool, id),
          process(strand, shared, settings_of(id, shared, launched)),
          writing(strand)
    {}

    command what;
    place turn;
    std::optional<stopped_by> stopped;
    std::optional<base::mono_time> began;
    bool over = false;
    told launched;
    spool_log log;
    supervisor process;
    aio::task writing;
};

job::job(aio::executor strand, environment& shared, base::job_id id, command what, place turn)
    : state_(std::make_unique<state>(strand, shared, id, std::move(what), std::move(turn)))
{}

job::~job()
{
    assert(!state_->began || state_->over);
}

aio::awaitable<bool> job::ready()
{
    if (!state_->stopped)
        co_await state_->turn.wait();
    co_return !state_->stopped;
}

aio::awaitable<outcome> job::run()
{
    const bool may_start = co_await ready();
    co_await aio::rethrow_if_cancelled();
    auto& own = *state_;
    outcome end;
    if (may_start) {
        // From here on a cancellation is an event: nothing may throw past the tree.
        const bool throws = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        own.began = base::mono_now();
        own.writing.start("job output", own.log.write());
        auto ran = co_await own.process.run(std::move(own.what), own.log);
        end = std::move(ran);
        own.log.finish();
        co_await own.writing.join();
        own.over = true;
        co_await asio::this_coro::throw_if_cancelled(throws);
    } else {
        end.how = ended::killed;
        end.by = own.stopped;
    }
    own.log.end();
    own.turn = place{};
    if (own.process.aborted())
        throw boost::system::system_error{asio::error::operation_aborted};
    end.output_bytes = own.log.total();
    end.gap = own.log.gap();
    end.output = own.log.preview();
    co_return end;
}

void job::when_launched(std::function<void(process_identity)> told)
{
    state_->launched = std::move(told);
}

void job::stop(stopped_by who)
{
    if (state_->stopped)
        return;
    state_->stopped = who;
    state_->turn.leave();
    state_->process.stop(who);
}

job::snapshot job::look() const
{
    snapshot now;
    now.running = state_->began && !state_->over;
    now.queued = !state_->began && !state_->turn.granted();
    now.output_bytes = state_->log.total();
    if (now.running) {
        now.wall = base::elapsed_since(*state_->began);
        now.pid = state_->process.pid();
    }
    return now;
}

} // namespace agentd::jobs
