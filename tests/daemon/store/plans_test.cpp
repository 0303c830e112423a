// How SQLite means to run what the tables ask: by an index, in the order asked for.
#include "store/idempotency.hpp"
#include "store/retention.hpp"
#include "tests/daemon/store/tables.hpp"

#include <algorithm>

namespace agentd::testing {
namespace {

using proto::api::job_state;
using proto::api::task_state;

const base::session_id one_session{"s_aaaa"};
const base::task_id task{"t_aaaa"};
const base::job_id job{"00000001"};

void use_lists(store::connection& db)
{
    const std::vector<store::tasks::filter> task_filters{{}, {.owner_uid = 1U},
        {.states = {task_state::failed}}, {.owner_uid = 1U, .states = {task_state::running}},
        {.session_id = one_session}, {.owner_uid = 1U, .session_id = one_session},
        {.labels = {{"k", "v"}}}, {.session_id = one_session, .labels = {{"k", "v"}, {"l", "w"}}},
        {.states = {task_state::failed, task_state::succeeded}}};
    for (auto which : task_filters) {
        which.limit = 10;
        static_cast<void>(store::tasks::list(db, which));
    }
    const std::vector<store::jobs::filter> job_filters{{}, {.owner_uid = 1U},
        {.session_id = one_session}, {.task_id = task}, {.states = {job_state::lost}},
        {.owner_uid = 1U, .session_id = one_session, .states = {job_state::killed}}};
    for (auto which : job_filters) {
        which.limit = 10;
        static_cast<void>(store::jobs::list(db, which));
    }
    static_cast<void>(store::sessions::list(db, {.limit = 10}));
    static_cast<void>(store::sessions::list(db, {.owner_uid = 1U, .limit = 10, .after = "s_b"}));
}

void use_events(store::connection& db)
{
    base::event_seq reached = 0;
    const std::vector<store::events::filter> filters{
        {}, {.session_id = one_session}, {.task_id = task}, {.types = {"task.*"}}};
    for (const auto& which : filters)
        static_cast<void>(store::events::page(db, 0, which, 10, reached));
    static_cast<void>(store::events::oldest(db));
    static_cast<void>(store::events::newest(db));
    static_cast<void>(store::events::purge(db, 1, at(1), 1));
}

void use_the_rest(store::connection& db)
{
    static_cast<void>(store::tasks::find(db, task));
    static_cast<void>(store::tasks::open_of(db, one_session));
    static_cast<void>(store::tasks::next_queued(db, one_session));
    static_cast<void>(store::tasks::count(db, task_state::queued));
    static_cast<void>(store::tasks::start(db, task, at(1)));
    static_cast<void>(store::tasks::finish(db, task, task_state::failed, std::nullopt, at(1)));
    store::tasks::add_turn(db, task, {}, 0, "", "text");
    static_cast<void>(store::tasks::ids_with_prefix(db, "t_aa", 1U, 10));
    static_cast<void>(store::jobs::find(db, job));
    static_cast<void>(store::jobs::count_live(db, task));
    static_cast<void>(store::jobs::count_live(db, one_session));
    static_cast<void>(store::jobs::live(db));
    static_cast<void>(store::messages::history(db, one_session, 1));
    static_cast<void>(store::messages::list(db, one_session, 0, 10));
    static_cast<void>(store::calls::of_message(db, one_session, 1));
    static_cast<void>(store::calls::newest_message(db, one_session));
    static_cast<void>(store::notifications::undelivered(db, one_session));
    static_cast<void>(store::notifications::deliver(db, one_session, 1));
    store::notifications::detach_all(db, one_session, 1);
    static_cast<void>(store::notifications::count_messages(db, task));
    static_cast<void>(store::notifications::count_waiting(db, one_session));
    static_cast<void>(store::idempotency::find(db, 1, "/", "k", at(1)));
    store::idempotency::purge(db, at(1), 10);
    static_cast<void>(store::is_purge_due(db, {std::chrono::hours{1}, 0}, at(1)));
    static_cast<void>(store::purge(db, {std::chrono::hours{1}, 0}, at(1)));
    static_cast<void>(store::sessions::with_work(db));
    store::sessions::remove(db, one_session);
}

TEST_CASE("plans: no statement walks a table, or sorts what an index gives in order")
{
    tables db;
    REQUIRE(store::sessions::insert(*db, session_row("s_aaaa")));
    REQUIRE(store::tasks::insert(*db, task_row("t_aaaa", "s_aaaa")));
    db->append_event(event("task.submitted", "s_aaaa", "t_aaaa"));
    use_lists(*db);
    use_events(*db);
    use_the_rest(*db);

    const auto texts = db->texts();
    CHECK(texts.size() > 60);
    for (const auto& text : texts) {
        if (text.starts_with("PRAGMA") || text.starts_with("UPDATE meta") ||
            text.find("FROM meta") != std::string::npos ||
            text.find("sqlite_schema") != std::string::npos)
            continue;
        auto plan = db->prepare("EXPLAIN QUERY PLAN " + text);
        while (plan.next()) {
            const auto line = plan.text(3);
            INFO(text, " -- ", line);
            CHECK(line.find("TEMP B-TREE FOR ORDER") == std::string::npos);
            const bool walks = line.starts_with("SCAN ") &&
                line.find("INDEX") == std::string::npos &&
                line.find("VIRTUAL TABLE") == std::string::npos && // json_each
                line.find("batch") == std::string::npos &&         // purge's own bound
                line != "SCAN CONSTANT ROW";
            CHECK(!walks);
        }
    }
}

} // namespace
} // namespace agentd::testing
