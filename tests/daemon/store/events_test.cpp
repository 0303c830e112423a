#include "store/events.hpp"
#include "tests/daemon/store/tables.hpp"

namespace agentd::testing {
namespace {

namespace events = store::events;

// One page; `reached` is checked to be right by the callers that need it.
struct page {
    std::vector<base::event_seq> seqs;
    base::event_seq reached = 0;
};

page ask(
    tables& db, const events::filter& which, base::event_seq after = 0, std::size_t limit = 100)
{
    page out;
    for (const auto& e : events::page(*db, after, which, limit, out.reached))
        out.seqs.push_back(e.seq);
    return out;
}

using seq_list = std::vector<base::event_seq>;

// A session with one task, from its creation to the task's end: six events.
void add_one_story(tables& db, const std::string& who, std::uint32_t owner)
{
    const auto session = "s_" + who;
    const auto task = "t_" + who;
    REQUIRE(store::sessions::insert(*db, session_row(session, owner)));
    db->append_event(event("session.created", session));
    REQUIRE(store::tasks::insert(*db, task_row(task, session, owner)));
    for (const char* type :
        {"task.submitted", "turn.started", "model.text", "turn.finished", "task.finished"})
        db->append_event(event(type, session, task));
}

// Of two sessions a and b, of the owners 1 and 2:
//  1 daemon.started
//  2, 8 session.created   3, 9 task.submitted   4, 10 turn.started   5, 11 model.text
//  6, 12 turn.finished   7, 13 task.finished
void add_story(tables& db)
{
    db->append_event(event("daemon.started"));
    add_one_story(db, "a", 1);
    add_one_story(db, "b", 2);
}

TEST_CASE("events: an entry comes back as it was appended")
{
    tables db;
    auto made = event("job.finished", "s_aaaa", "t_aaaa");
    made.job_id = base::job_id{"00000001"};
    made.body = R"({"exit_code":1})";
    CHECK(db->append_event(made) == 1);

    base::event_seq reached = 0;
    const auto found = events::page(*db, 0, {}, 10, reached);
    REQUIRE(found.size() == 1);
    CHECK(found[0].seq == 1);
    CHECK(found[0].type == "job.finished");
    CHECK(found[0].time == at(4000));
    CHECK(found[0].session_id.str() == "s_aaaa");
    CHECK(found[0].task_id.str() == "t_aaaa");
    CHECK(found[0].job_id.str() == "00000001");
    CHECK(found[0].body == R"({"exit_code":1})");
    CHECK(reached == 1);
}

TEST_CASE("events: an empty history has no oldest and no newest")
{
    tables db;
    CHECK(events::oldest(*db) == 0);
    CHECK(events::newest(*db) == 0);
    CHECK(ask(db, {}).reached == 0);
    add_story(db);
    CHECK(events::oldest(*db) == 1);
    CHECK(events::newest(*db) == 13);
}

TEST_CASE("events: pages go on where the one before ended")
{
    tables db;
    add_story(db);
    const auto first = ask(db, {}, 0, 5);
    CHECK(first.seqs == seq_list{1, 2, 3, 4, 5});
    CHECK(first.reached == 5);
    const auto last = ask(db, {}, 10, 5);
    CHECK(last.seqs == seq_list{11, 12, 13});
    CHECK(last.reached == 13);
    CHECK(ask(db, {}, 13).seqs.empty());
    CHECK(ask(db, {}, 13).reached == 13);
    CHECK(ask(db, {}, 0, 0).reached == 0);
}

TEST_CASE("events: filters by session, task, type, family and owner, each way through the table")
{
    tables db;
    add_story(db);
    const base::session_id b{"s_b"};
    const base::task_id t{"t_b"};

    CHECK(ask(db, {.session_id = b}).seqs == seq_list{8, 9, 10, 11, 12, 13});
    CHECK(ask(db, {.task_id = t}).seqs == seq_list{9, 10, 11, 12, 13});
    CHECK(ask(db, {.task_id = t, .session_id = base::session_id{"s_a"}}).seqs.empty());
    CHECK(ask(db, {.task_id = t, .types = {"task.finished"}}).seqs == seq_list{13});
    CHECK(ask(db, {.types = {"model.text"}}).seqs == seq_list{5, 11});
    CHECK(ask(db, {.types = {"turn.*"}}).seqs == seq_list{4, 6, 10, 12});
    CHECK(ask(db, {.types = {"task.*"}}).seqs == seq_list{3, 7, 9, 13});
    CHECK(ask(db, {.types = {"task.finished", "session.created"}}).seqs == seq_list{2, 7, 8, 13});
    CHECK(ask(db, {.types = {"task.submitted", "turn.started"}}).seqs == seq_list{3, 4, 9, 10});
    CHECK(ask(db, {.types = {"nothing.here"}}).seqs.empty());
    CHECK(ask(db, {.owner_uid = 2U}).seqs == seq_list{1, 8, 9, 10, 11, 12, 13});
    CHECK(ask(db, {.types = {"task.*", "daemon.*"}, .owner_uid = 1U}).seqs == seq_list{1, 3, 7});
    CHECK(ask(db, {.session_id = b, .owner_uid = 1U}).seqs.empty());
    CHECK(ask(db, {.task_id = base::task_id{"t_none"}}).seqs.empty());
}

TEST_CASE("events: reading on from what was reached leaves nothing out, whatever the filter")
{
    tables db;
    for (int i = 0; i < 9; ++i)
        add_one_story(db, std::to_string(i), i % 2 == 0 ? 1 : 2);
    const std::vector<events::filter> filters{{}, {.types = {"task.*"}},
        {.types = {"task.finished", "session.*"}}, {.types = {"turn.*"}}, {.owner_uid = 2U},
        {.types = {"task.finished"}, .owner_uid = 1U}, {.session_id = base::session_id{"s_3"}},
        {.task_id = base::task_id{"t_3"}}};
    for (const auto& which : filters) {
        const auto all = ask(db, which);
        CHECK(all.reached == events::newest(*db));
        for (const std::size_t size : {1U, 2U, 3U, 7U}) {
            seq_list read;
            for (base::event_seq after = 0; after < events::newest(*db);) {
                const auto part = ask(db, which, after, size);
                read.insert(read.end(), part.seqs.begin(), part.seqs.end());
                REQUIRE(part.reached > after);
                after = part.reached;
            }
            CHECK(read == all.seqs);
        }
    }
}

TEST_CASE("events: the end of a removed session is still its owner's")
{
    tables db;
    add_story(db);
    store::sessions::remove(*db, base::session_id{"s_a"});
    const auto seq = db->append_event(event("session.deleted", "s_a"));

    CHECK(ask(db, {.owner_uid = 1U}).seqs.back() == seq);
    CHECK(ask(db, {.owner_uid = 2U}).seqs.back() == seq - 1);
    CHECK(ask(db, {.task_id = base::task_id{"t_a"}}).seqs == seq_list{3, 4, 5, 6, 7});
    CHECK(ask(db, {.session_id = base::session_id{"s_a"}}).seqs.size() == 7);
}

TEST_CASE("events: one live event is judged as a stored one")
{
    auto one = event("task.finished", "s_a", "t_a");
    CHECK(events::matches({}, one, std::nullopt));
    CHECK(events::matches({.types = {"task.*"}}, one, 1U));
    CHECK(!events::matches({.types = {"task.started", "turn.*"}}, one, 1U));
    CHECK(events::matches({.owner_uid = 1U}, one, 1U));
    CHECK(!events::matches({.owner_uid = 1U}, one, 2U));
    CHECK(!events::matches({.owner_uid = 1U}, one, std::nullopt));
    CHECK(events::matches({.owner_uid = 1U}, event("daemon.started"), std::nullopt));
    CHECK(events::matches({.task_id = base::task_id{"t_a"}}, one, 1U));
    CHECK(!events::matches({.task_id = base::task_id{"t_b"}}, one, 1U));
    CHECK(!events::matches({.session_id = base::session_id{"s_b"}}, one, 1U));
}

TEST_CASE("events: old ones are forgotten from the front, the newest never")
{
    tables db;
    for (int i = 1; i <= 10; ++i) {
        auto e = event("turn.started");
        e.time = at(i == 6 ? 5000 : i); // a clock that jumped
        db->append_event(e);
    }
    CHECK(events::purge(*db, 100, at(3), 100) == 2);
    CHECK(events::purge(*db, 100, at(1000), 2) == 2);
    CHECK(events::oldest(*db) == 5);
    CHECK(events::purge(*db, 100, at(1000), 100) == 1); // not past one that stays
    CHECK(events::purge(*db, 7, at(9999), 100) == 2);
    CHECK(events::purge(*db, 100, at(9999), 100) == 2);
    CHECK(events::oldest(*db) == 10);
    CHECK(events::purge(*db, 100, at(9999), 100) == 0);
    CHECK(db->append_event(event("turn.started")) == 11);
}

} // namespace
} // namespace agentd::testing
