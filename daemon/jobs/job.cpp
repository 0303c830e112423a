#include "jobs/job.hpp"

#include "aio/task_group.hpp"
#include "base/clock.hpp"
#include "base/stdin_limits.hpp"
#include "jobs/environment.hpp"
#include "jobs/procfs.hpp"
#include "jobs/spool_log.hpp"
#include "jobs/supervisor.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <cassert>
#include <optional>

namespace agentd::jobs {

namespace asio = boost::asio;

namespace {

std::string id_variable(const base::job_id& id)
{
    return "AGENTD_JOB_ID=" + id.str();
}

// The input of a job that takes some, in the table until the job has ended.
class listed_input {
public:
    listed_input(const aio::executor& strand, environment& shared, const base::job_id& id,
        const command& what)
        : table_(shared.inputs), id_(id)
    {
        if (what.input == input::none)
            return;
        input_ = std::make_shared<job_input>(strand);
        table_.add(id_, input_);
    }
    listed_input(const listed_input&) = delete;
    listed_input& operator=(const listed_input&) = delete;
    ~listed_input() { end(); }

    [[nodiscard]] const std::shared_ptr<job_input>& get() const { return input_; }
    void end()
    {
        if (!input_)
            return;
        table_.remove(id_);
        input_->end();
    }

private:
    input_table& table_;
    const base::job_id id_;
    std::shared_ptr<job_input> input_; // shared with those who write: it may end under them
};

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
          input(strand, shared, id, what),
          log(strand, shared.spool, id, what.session),
          process(strand, shared, settings_of(id, shared)),
          writing(strand)
    {}

    // What is to be told is filled in later.
    supervisor::settings settings_of(const base::job_id& id, const environment& shared)
    {
        const auto tell_launched = [this](pid_t pid) {
            if (launched)
                launched({pid, start_of(pid), boot_id()});
        };
        const auto tell_stalled = [this](std::chrono::milliseconds silent) {
            if (stalled)
                stalled(stall_now(silent));
        };
        return {.variable = id_variable(id),
            .keep_leftovers = shared.settings.left_behind == leftovers::keep,
            .launched = tell_launched,
            .input = input.get().get(),
            .stalled = tell_stalled};
    }

    [[nodiscard]] stall stall_now(std::chrono::milliseconds silent) const
    {
        auto shown = log.preview();
        auto last = shown.left_out == 0 ? shown.head + shown.tail : std::move(shown.tail);
        last.erase(0, last.size() - std::min(last.size(), limits::stall_output_bytes));
        return {silent, log.total(), std::move(last)};
    }

    command what;
    place turn;
    std::optional<stopped_by> stopped;
    std::optional<base::mono_time> began;
    bool over = false;
    std::function<void(process_identity)> launched;
    std::function<void(stall)> stalled;
    listed_input input;
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

std::shared_ptr<job_input> job::stdin_of() const
{
    return state_->input.get();
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
    own.input.end();
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

void job::when_stalled(std::function<void(stall)> told)
{
    state_->stalled = std::move(told);
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
        now.stalls = state_->input.get() && state_->input.get()->awaited();
    }
    return now;
}

} // namespace agentd::jobs
