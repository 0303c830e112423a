#include "store/tasks.hpp"
#include "tests/daemon/store/tables.hpp"

#include <map>

namespace agentd::testing {
namespace {

namespace tasks = store::tasks;
using proto::api::task_state;

tasks::row labelled(const std::string& id, const std::string& session, proto::api::labels labels)
{
    auto row = task_row(id, session);
    row.shown.labels = std::move(labels);
    return row;
}

TEST_CASE("tasks: a row comes back as it was put in, also what is never shown")
{
    tables db;
    auto made = labelled("t_aaaa", "s_aaaa", {{"team", "a\"b\n"}, {"x.y-z", ""}});
    made.system = "be kind";
    made.env = {{"PATH", "/bin"}, {"EMPTY", ""}};
    made.max_turns = 7;
    made.timeout_s = 8;
    made.budget_usd = 1.5;
    made.max_tokens_total = 9;
    made.shown.priority = -100;
    made.shown.jobs_at_end = proto::api::jobs_at_end::detach;

    REQUIRE(tasks::insert(*db, made));
    const auto row = tasks::find(*db, base::task_id{"t_aaaa"});

    REQUIRE(row.has_value());
    CHECK(row->shown.prompt == "do t_aaaa");
    CHECK(row->shown.labels == made.shown.labels);
    CHECK(row->env == made.env);
    CHECK(row->system == "be kind");
    CHECK(row->max_turns == 7);
    CHECK(row->timeout_s == 8);
    CHECK(row->budget_usd == 1.5);
    CHECK(row->max_tokens_total == 9);
    CHECK(row->shown.priority == -100);
    CHECK(row->shown.jobs_at_end == proto::api::jobs_at_end::detach);
    CHECK(row->shown.state == task_state::queued);
    CHECK(row->shown.created_at == at(2000));
    CHECK(!row->shown.started_at.has_value());
    CHECK(!row->shown.result.has_value());
    CHECK(!row->shown.error.has_value());
    CHECK(!tasks::find(*db, base::task_id{"t_none"}).has_value());
    CHECK(!tasks::insert(*db, made)); // the id is taken
}

TEST_CASE("tasks: each change of state happens only where it may come from")
{
    tables db;
    const base::task_id id{"t_aaaa"};
    REQUIRE(tasks::insert(*db, task_row("t_aaaa", "s_aaaa")));

    CHECK(!tasks::set_waiting(*db, id, true));
    CHECK(tasks::start(*db, id, at(10)));
    CHECK(!tasks::start(*db, id, at(11)));
    CHECK(tasks::set_waiting(*db, id, true));
    CHECK(!tasks::set_waiting(*db, id, true));
    CHECK(tasks::set_waiting(*db, id, false));
    CHECK(tasks::request_cancel(*db, id));
    CHECK(tasks::finish(*db, id, task_state::cancelled, std::nullopt, at(20)));
    CHECK(!tasks::finish(*db, id, task_state::succeeded, std::nullopt, at(30)));
    CHECK(!tasks::request_cancel(*db, id));
    CHECK(!tasks::set_waiting(*db, id, true));

    const auto row = tasks::find(*db, id);
    CHECK(row->shown.state == task_state::cancelled);
    CHECK(row->shown.cancel_requested);
    CHECK(row->shown.started_at == at(10));
    CHECK(row->shown.ended_at == at(20));
}

TEST_CASE("tasks: a failed one says why")
{
    tables db;
    const base::task_id id{"t_aaaa"};
    REQUIRE(tasks::insert(*db, task_row("t_aaaa", "s_aaaa")));
    REQUIRE(tasks::start(*db, id, at(10)));
    const proto::api::task_error why{"model_error", "overloaded", 529, "req_1"};
    REQUIRE(tasks::finish(*db, id, task_state::failed, why, at(20)));

    const auto row = tasks::find(*db, id);
    REQUIRE(row->shown.error.has_value());
    CHECK(row->shown.error->type == "model_error");
    CHECK(row->shown.error->message == "overloaded");
    CHECK(row->shown.error->status == 529);
    CHECK(row->shown.error->request_id == "req_1");
}

TEST_CASE("tasks: turns add up, and the result is the last text there was")
{
    tables db;
    const base::task_id id{"t_aaaa"};
    REQUIRE(tasks::insert(*db, task_row("t_aaaa", "s_aaaa")));
    tasks::add_turn(*db, id, {.input = 1, .output = 2}, 0.5, "tool_use", "first");
    tasks::add_turn(*db, id, {.input = 10, .cache_read = 3}, 0.25, "end_turn", "second");
    tasks::add_turn(*db, id, {.cache_write = 4}, 0.25, "tool_use", std::nullopt);
    tasks::set_elapsed(*db, id, 1234);
    tasks::set_unclean_ends(*db, id, 2);

    const auto row = tasks::find(*db, id);
    CHECK(row->shown.turns == 3);
    CHECK(!row->shown.result); // what was said so far is no result before the end
    REQUIRE(tasks::finish(*db, id, task_state::cancelled, std::nullopt, at(20)));
    CHECK(tasks::find(*db, id)->shown.result == "second");
    CHECK(tasks::find(*db, id)->shown.result_turn == 2);
    CHECK(row->shown.stop_reason == "tool_use");
    CHECK(row->shown.usage ==
        proto::api::usage{.input = 11, .output = 2, .cache_read = 3, .cache_write = 4});
    CHECK(row->shown.cost_usd == doctest::Approx(1.0));
    CHECK(row->elapsed_ms == 1234);
    CHECK(row->unclean_ends == 2);
}

TEST_CASE("tasks: a session has one open task, and queued ones in their order")
{
    tables db;
    const base::session_id session{"s_aaaa"};
    for (const char* id : {"t_cccc", "t_aaaa", "t_bbbb"})
        REQUIRE(tasks::insert(*db, task_row(id, "s_aaaa")));
    REQUIRE(tasks::insert(*db, task_row("t_zzzz", "s_zzzz")));
    CHECK(!tasks::open_of(*db, session).has_value());
    CHECK(tasks::next_queued(*db, session)->shown.id.str() == "t_cccc");

    REQUIRE(tasks::start(*db, base::task_id{"t_cccc"}, at(1)));
    CHECK(tasks::open_of(*db, session)->shown.id.str() == "t_cccc");
    CHECK(tasks::next_queued(*db, session)->shown.id.str() == "t_aaaa");
    CHECK_THROWS_AS(
        static_cast<void>(tasks::start(*db, base::task_id{"t_aaaa"}, at(1))), store::sqlite_error);
    CHECK(tasks::count(*db, task_state::queued) == 3);
    CHECK(tasks::count(*db, task_state::running) == 1);

    REQUIRE(tasks::set_waiting(*db, base::task_id{"t_cccc"}, true));
    CHECK(tasks::open_of(*db, session)->shown.state == task_state::waiting);
    REQUIRE(
        tasks::finish(*db, base::task_id{"t_cccc"}, task_state::succeeded, std::nullopt, at(2)));
    CHECK(!tasks::open_of(*db, session).has_value());
    CHECK(tasks::start(*db, base::task_id{"t_aaaa"}, at(3)));
}

// Ten tasks, t_a00 to t_a09, of two sessions and two owners, some labelled, some started.
void add_ten(store::connection& db)
{
    for (int i = 0; i < 10; ++i) {
        const auto id = "t_a0" + std::to_string(i);
        auto row = task_row(id, "s_" + std::to_string(i % 2), i < 4 ? 1 : 2);
        if (i % 3 == 0)
            row.shown.labels = {{"k", "v"}, {"n", std::to_string(i)}};
        REQUIRE(tasks::insert(db, row));
    }
    for (const char* id : {"t_a02", "t_a07"})
        REQUIRE(tasks::start(db, base::task_id{id}, at(1)));
    REQUIRE(tasks::finish(db, base::task_id{"t_a02"}, task_state::succeeded, std::nullopt, at(2)));
}

TEST_CASE("tasks: lists by every filter, newest first")
{
    tables db;
    add_ten(*db);
    const auto list = [&db](tasks::filter which) {
        if (which.limit == 0)
            which.limit = 100;
        return ids_of(tasks::list(*db, which));
    };
    CHECK(list({}).size() == 10);
    CHECK(list({}).front() == "t_a09");
    CHECK(list({.limit = 3}) == names({"t_a09", "t_a08", "t_a07"}));
    CHECK(list({.limit = 3, .after = "t_a07"}) == names({"t_a06", "t_a05", "t_a04"}));
    CHECK(list({.after = "t_a00"}).empty());
    CHECK(list({.after = "t_none"}).empty());
    CHECK(list({.owner_uid = 1U}) == names({"t_a03", "t_a02", "t_a01", "t_a00"}));
    CHECK(list({.states = {task_state::running}}) == names({"t_a07"}));
    CHECK(list({.states = {task_state::running, task_state::succeeded}}) ==
        names({"t_a07", "t_a02"}));
    CHECK(list({.states = {task_state::queued, task_state::running}, .limit = 3}) ==
        names({"t_a09", "t_a08", "t_a07"}));
    CHECK(list({.session_id = base::session_id{"s_1"}, .limit = 2}) == names({"t_a09", "t_a07"}));
    CHECK(list({.labels = {{"k", "v"}}}) == names({"t_a09", "t_a06", "t_a03", "t_a00"}));
    CHECK(list({.labels = {{"k", "v"}, {"n", "6"}}}) == names({"t_a06"}));
    CHECK(list({.labels = {{"k", "w"}}}).empty());
    CHECK(list({.owner_uid = 2U,
              .states = {task_state::queued},
              .session_id = base::session_id{"s_1"},
              .labels = {{"k", "v"}},
              .limit = 5}) == names({"t_a09"}));
    CHECK(
        list({.labels = {{"k", "v"}}, .limit = 2, .after = "t_a06"}) == names({"t_a03", "t_a00"}));
}

TEST_CASE("tasks: a removed session takes its tasks along, and pages go on after them")
{
    tables db;
    REQUIRE(store::sessions::insert(*db, session_row("s_0")));
    REQUIRE(store::sessions::insert(*db, session_row("s_1")));
    add_ten(*db);
    REQUIRE(store::jobs::insert(*db, job_row("00000001", "t_a01", "s_1")));

    store::sessions::remove(*db, base::session_id{"s_1"});

    CHECK(ids_of(tasks::list(*db, {.limit = 9})) ==
        names({"t_a08", "t_a06", "t_a04", "t_a02", "t_a00"}));
    CHECK(ids_of(tasks::list(*db, {.limit = 9, .after = "t_a05"})) ==
        names({"t_a04", "t_a02", "t_a00"}));
    CHECK(ids_of(tasks::list(*db, {.labels = {{"k", "v"}}, .limit = 9})) ==
        names({"t_a06", "t_a00"}));
    CHECK(tasks::ids_with_prefix(*db, "t_a0", std::nullopt, 10).size() == 5);
    CHECK(!tasks::insert(*db, task_row("t_a01", "s_0"))); // its id is not given again
    CHECK(!store::jobs::insert(*db, job_row("00000001", "t_a00", "s_0")));
    for (const char* table : {"task_inputs", "tasks"})
        CHECK(db->number(std::string{"SELECT count(*) FROM "} + table) == 5);
    CHECK(db->number("SELECT count(*) FROM task_labels") == 4);
    CHECK(db->number("SELECT count(*) FROM jobs") == 0);
}

} // namespace
} // namespace agentd::testing
