// The steps of a job's life. On the store's writing thread.
#include "session/events.hpp"
#include "session/steps.hpp"
#include "store/notifications.hpp"

namespace agentd::session::steps {

bool queue_job(connection& db, const store::jobs::row& job, bool queued)
{
    if (!store::jobs::insert(db, job))
        return false;
    if (queued)
        db.append_event(events::job_queued(job.shown));
    return true;
}

void start_job(connection& db, const store::jobs::row& job, std::int64_t pid)
{
    store::jobs::start(db, job.shown.id, job.shown.started_at.value_or(base::wall_now()), pid,
        job.pid_start, job.boot_id);
    db.append_event(events::job_started(job.shown));
}

std::int64_t finish_job(connection& db, const store::jobs::row& job)
{
    if (!store::jobs::finish(db, job))
        return 0;
    db.append_event(events::job_finished(job.shown));
    store::notifications::row news;
    news.session_id = job.shown.session_id;
    news.task_id = job.shown.task_id;
    news.kind = store::notifications::kind::job_ended;
    news.job_id = job.shown.id;
    const auto id = store::notifications::queue(db, news);
    db.append_event(events::notification_queued(news, id));
    return id;
}

std::int64_t stall_job(connection& db, const proto::api::job& job, std::chrono::milliseconds silent,
    const std::string& entry)
{
    const auto now = store::jobs::find(db, job.id);
    if (!now || has_ended(now->shown.state))
        return 0;
    db.append_event(events::job_stalled(job, silent));
    store::notifications::row news;
    news.session_id = job.session_id;
    news.task_id = job.task_id;
    news.kind = store::notifications::kind::job_stalled;
    news.job_id = job.id;
    news.text = entry;
    const auto id = store::notifications::queue(db, news);
    db.append_event(events::notification_queued(news, id));
    return id;
}

} // namespace agentd::session::steps
