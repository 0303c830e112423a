// session::core: the calls about sessions. Any strand; see core.hpp.
#include "aio/blocking_pool.hpp"
#include "base/log.hpp"
#include "jobs/environment.hpp"
#include "session/answer.hpp"
#include "session/core.hpp"
#include "session/events.hpp"
#include "session/lookup.hpp"
#include "session/workdir.hpp"
#include "store/events.hpp"
#include "store/messages.hpp"
#include "store/store.hpp"

#include <fmt/format.h>

namespace agentd::session {
namespace {

// What is left to delete on disk of a session that is no more.
struct remains {
    std::string workdir; // empty: not ours
    std::vector<base::job_id> jobs;
};

base::result<remains> remove(store::connection& db, const caller& who, const std::string& id)
{
    auto session = lookup::session(db, who, id);
    if (!session)
        return std::unexpected(std::move(session.error()));
    const auto& whole = session->shown.id;
    const bool working = store::tasks::open_of(db, whole) || store::tasks::next_queued(db, whole);
    if (working || store::jobs::count_live(db, whole) != 0)
        return std::unexpected(base::error{errc::session_busy,
            fmt::format("session {} has {}", whole.str(),
                working ? "a task that has not ended" : "a live job")});
    remains left;
    if (session->made_workdir)
        left.workdir = session->shown.workdir;
    store::jobs::filter all;
    all.session_id = whole;
    all.limit = limits::jobs_of_session;
    for (const auto& job : store::jobs::list(db, all))
        left.jobs.push_back(job.id);
    db.append_event(events::session_deleted(whole));
    store::sessions::remove(db, whole);
    return left;
}

} // namespace

aio::awaitable<base::result<proto::api::session>> core::session(caller who, std::string id)
{
    auto find = [who, id](store::connection& db) -> base::result<proto::api::session> {
        auto row = lookup::session(db, who, id);
        if (!row)
            return std::unexpected(std::move(row.error()));
        return std::move(row->shown);
    };
    auto found = co_await shared_.db.read(std::move(find));
    co_return answer(std::move(found));
}

aio::awaitable<base::result<page<proto::api::session>>> core::sessions(
    caller who, std::size_t limit, std::string after)
{
    auto list = [who, limit, after](store::connection& db) {
        store::sessions::filter rows;
        rows.owner_uid = who.only();
        rows.limit = limit + 1;
        rows.after = after;
        std::vector<proto::api::session> shown;
        for (auto& row : store::sessions::list(db, rows))
            shown.push_back(std::move(row.shown));
        return page_of(std::move(shown), limit, store::events::newest(db));
    };
    auto found = co_await shared_.db.read(std::move(list));
    co_return answer(std::move(found));
}

aio::awaitable<base::result<page<proto::api::message>>> core::messages(
    caller who, std::string session_id, std::int64_t after_seq, std::size_t limit)
{
    auto list = [=](store::connection& db) -> base::result<page<proto::api::message>> {
        auto session = lookup::session(db, who, session_id);
        if (!session)
            return std::unexpected(std::move(session.error()));
        page<proto::api::message> found;
        found.items = store::messages::list(db, session->shown.id, after_seq, limit + 1);
        if (found.items.size() > limit) {
            found.items.resize(limit);
            found.next = std::to_string(found.items.back().seq);
        }
        found.seq = store::events::newest(db);
        return found;
    };
    auto found = co_await shared_.db.read(std::move(list));
    co_return answer(std::move(found));
}

aio::awaitable<base::result<void>> core::remove_session(caller who, std::string id)
{
    auto work = [who, id](store::connection& db) { return remove(db, who, id); };
    auto left =
        co_await shared_.db.write(store::step::delete_session, store::durability::power_loss, work);
    if (!left)
        co_return std::unexpected(as_answer(std::move(left.error())));
    --sessions_;
    for (const auto& job : left->jobs)
        co_await shared_.jobs.spool.remove(job);
    if (left->workdir.empty())
        co_return base::result<void>{};
    auto tidy = [path = left->workdir] { return remove_workdir(path); };
    const bool gone = co_await shared_.blocking.run(std::move(tidy));
    if (!gone) // the session is gone all the same; what is left is for a person to look at
        log::warning("session.leftover", {}, "cannot remove all of {}", left->workdir);
    co_return base::result<void>{};
}

} // namespace agentd::session
