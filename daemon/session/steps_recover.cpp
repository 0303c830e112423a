// What a start makes of the state that the last daemon has left: recovery.md has the table.
// On the store's writing thread.
#include "base/limits.hpp"
#include "proto/messages/encode.hpp"
#include "session/steps.hpp"

#include <fmt/format.h>

#include <set>

namespace agentd::session::steps {
namespace {

using proto::api::job_state;

void lose_jobs(connection& db, std::vector<store::jobs::row> jobs)
{
    for (auto& job : jobs) {
        const bool ran = job.shown.state == job_state::running;
        job.shown.state = job_state::lost;
        job.shown.reason = ran ? "agentd ended while it ran" : "agentd ended before it was started";
        job.shown.ended_at = base::wall_now();
        static_cast<void>(finish_job(db, job));
    }
}

// The next task's prompt stands behind this one's: what nobody has answered is not to be.
void note_end(connection& db, const store::tasks::row& task, abandoned& end)
{
    auto last = store::messages::last(db, task.shown.session_id);
    if (!last || last->answered || last->shown.role != "user" ||
        last->shown.task_id != task.shown.id)
        return;
    end.pending_seq = last->shown.seq;
    end.pending = std::move(last->shown.content);
    end.pending.back() = ',';
    end.pending.append(proto::messages::text_block(note_about(end.how))).append("]");
}

void fail_as_crash_loop(connection& db, const store::tasks::row& task, std::int64_t ends)
{
    abandoned end;
    end.how = failed_as("crash_loop",
        fmt::format("agentd ended {} times in a row while this task had a step in progress", ends));
    note_end(db, task, end);
    static_cast<void>(finish_task(db, task, end));
}

// Counts the last daemon's end for what it worked on. Of several that have met enough of them at
// once one may be to blame: they are tried again, one by one, before they have all failed.
void count_ends(connection& db)
{
    std::vector<store::tasks::row> blamed;
    for (const auto& id : store::tasks::at_work(db)) {
        auto task = store::tasks::find(db, id);
        if (!task)
            continue;
        task->unclean_ends += 1;
        store::tasks::set_unclean_ends(db, id, task->unclean_ends);
        if (task->unclean_ends >= limits::crash_loop_ends)
            blamed.push_back(std::move(*task));
    }
    for (const auto& task : blamed)
        if (blamed.size() == 1 || task.unclean_ends >= limits::crash_loop_ends_in_company)
            fail_as_crash_loop(db, task, task.unclean_ends);
    store::tasks::set_none_at_work(db);
}

// Also those that were held back until their daemon ended. First who has met the most.
std::vector<suspect> held_back(connection& db)
{
    std::vector<suspect> all;
    std::set<base::task_id> known;
    for (const auto ends : {limits::crash_loop_ends, limits::crash_loop_ends - 1})
        for (auto& [task, session] : store::tasks::that_met(db, ends))
            if (known.insert(task).second)
                all.push_back({std::move(task), std::move(session)});
    return all;
}

} // namespace

void take_up(connection& db, const base::session_id& id)
{
    auto task = store::tasks::open_of(db, id);
    if (!task)
        task = store::tasks::next_queued(db, id);
    if (task)
        store::tasks::set_at_work(db, task->shown.id, true);
}

void lay_down(connection& db)
{
    store::tasks::clear_unclean_ends(db);
}

std::vector<store::jobs::row> lost_jobs(connection& db)
{
    return store::jobs::live(db);
}

recovered recover(connection& db, std::vector<store::jobs::row> lost)
{
    lose_jobs(db, std::move(lost));
    recovered found;
    count_ends(db);
    found.suspects = held_back(db);
    std::set<base::session_id> of_suspects;
    for (const auto& one : found.suspects)
        of_suspects.insert(one.session);
    found.kept = store::sessions::count(db);
    found.sessions = store::sessions::with_work(db);
    std::erase_if(found.sessions,
        [&of_suspects](const base::session_id& id) { return of_suspects.contains(id); });
    return found;
}

} // namespace agentd::session::steps
