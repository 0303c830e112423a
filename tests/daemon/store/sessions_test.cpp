#include "tests/daemon/store/fixture.hpp"

#include <optional>

namespace agentd::testing {
namespace {

namespace sessions = store::sessions;

TEST_CASE("sessions: a row comes back as it was put in")
{
    const temp_folder folder;
    test_store db{folder.state()};
    auto made = session_row("s_aaaaaaaaaa", 1001);
    made.made_workdir = true;
    made.shown.usage = {.input = 1, .output = 2, .cache_read = 3, .cache_write = 4};
    made.shown.cost_usd = 0.25;

    const auto added = db.write([made](store::connection& c) { return sessions::insert(c, made); });
    const auto found = db.read(
        [](store::connection& c) { return sessions::find(c, base::session_id{"s_aaaaaaaaaa"}); });

    REQUIRE(added.has_value());
    CHECK(*added);
    REQUIRE(found.has_value());
    REQUIRE(found->has_value());
    const auto& row = **found;
    CHECK(row.owner_uid == 1001);
    CHECK(row.made_workdir);
    CHECK(row.shown.workdir == "/w/s_aaaaaaaaaa");
    CHECK(row.shown.usage == made.shown.usage);
    CHECK(row.shown.cost_usd == doctest::Approx(0.25));
    CHECK(row.shown.created_at == at(1000));
    CHECK(row.shown.messages == 0);
}

TEST_CASE("sessions: an id is given once, also after the session is gone")
{
    const temp_folder folder;
    test_store db{folder.state()};

    const auto answers = db.write([](store::connection& c) {
        std::vector<bool> given;
        given.push_back(sessions::insert(c, session_row("s_aaaaaaaaaa")));
        given.push_back(sessions::insert(c, session_row("s_aaaaaaaaaa")));
        sessions::remove(c, base::session_id{"s_aaaaaaaaaa"});
        given.push_back(sessions::insert(c, session_row("s_aaaaaaaaaa")));
        return given;
    });

    REQUIRE(answers.has_value());
    CHECK(*answers == std::vector<bool>{true, false, false});
}

TEST_CASE("sessions: lists are newest first, by pages, also from a removed one on")
{
    const temp_folder folder;
    test_store db{folder.state()};
    const auto pages = db.write([](store::connection& c) {
        for (const char* id : {"s_ccc1", "s_aaa2", "s_bbb3", "s_ddd4"})
            CHECK(sessions::insert(c, session_row(id, id[2] == 'a' ? 7 : 1000)));
        const auto page = [&c](sessions::filter which) {
            std::vector<std::string> ids;
            for (const auto& row : sessions::list(c, which))
                ids.push_back(row.shown.id.str());
            return ids;
        };
        std::vector<std::vector<std::string>> seen;
        seen.push_back(page({.limit = 2}));
        seen.push_back(page({.limit = 2, .after = "s_bbb3"}));
        seen.push_back(page({.owner_uid = 7U, .limit = 9}));
        sessions::remove(c, base::session_id{"s_bbb3"});
        seen.push_back(page({.limit = 2, .after = "s_bbb3"}));
        seen.push_back(page({.limit = 2, .after = "s_none"}));
        return seen;
    });

    REQUIRE(pages.has_value());
    CHECK(pages->at(0) == names({"s_ddd4", "s_bbb3"}));
    CHECK(pages->at(1) == names({"s_aaa2", "s_ccc1"}));
    CHECK(pages->at(2) == names({"s_aaa2"}));
    CHECK(pages->at(3) == names({"s_aaa2", "s_ccc1"}));
    CHECK(pages->at(4).empty());
}

TEST_CASE("sessions: a prefix finds ids of the owner asked for")
{
    const temp_folder folder;
    test_store db{folder.state()};
    const auto found = db.write([](store::connection& c) {
        CHECK(sessions::insert(c, session_row("s_abcd2", 1)));
        CHECK(sessions::insert(c, session_row("s_abcd3", 2)));
        CHECK(sessions::insert(c, session_row("s_abce4", 1)));
        return std::vector{sessions::ids_with_prefix(c, "s_abcd", std::nullopt, 10),
            sessions::ids_with_prefix(c, "s_abcd", 2U, 10),
            sessions::ids_with_prefix(c, "s_abc", std::nullopt, 2),
            sessions::ids_with_prefix(c, "s_zzzz", std::nullopt, 10)};
    });

    REQUIRE(found.has_value());
    CHECK(found->at(0) == names({"s_abcd2", "s_abcd3"}));
    CHECK(found->at(1) == names({"s_abcd3"}));
    CHECK(found->at(2) == names({"s_abcd2", "s_abcd3"}));
    CHECK(found->at(3).empty());
}

TEST_CASE("sessions: state, model and usage change in place")
{
    const temp_folder folder;
    test_store db{folder.state()};
    const auto row = db.write([](store::connection& c) {
        const base::session_id id{"s_aaaa"};
        CHECK(sessions::insert(c, session_row("s_aaaa")));
        sessions::set_state(c, id, proto::api::session_state::waiting);
        sessions::set_model(c, id, "other", 3);
        sessions::add_usage(c, id, {.input = 5, .output = 6}, 0.5);
        sessions::add_usage(c, id, {.input = 1, .cache_read = 2, .cache_write = 3}, 0.25);
        return *sessions::find(c, id);
    });

    REQUIRE(row.has_value());
    CHECK(row->shown.state == proto::api::session_state::waiting);
    CHECK(row->shown.model == "other");
    CHECK(row->shown.epoch == 3);
    CHECK(row->shown.usage ==
        proto::api::usage{.input = 6, .output = 6, .cache_read = 2, .cache_write = 3});
    CHECK(row->shown.cost_usd == doctest::Approx(0.75));
    CHECK(row->shown.updated_at > at(1000));
}

TEST_CASE("sessions: those with an unended task or a live job have work")
{
    const temp_folder folder;
    test_store db{folder.state()};
    const auto busy = db.write([](store::connection& c) {
        for (const char* id : {"s_idle", "s_task", "s_jobs", "s_done"})
            CHECK(sessions::insert(c, session_row(id)));
        CHECK(store::tasks::insert(c, task_row("t_aaaa", "s_task")));
        CHECK(store::tasks::insert(c, task_row("t_bbbb", "s_done")));
        CHECK(store::tasks::finish(
            c, base::task_id{"t_bbbb"}, proto::api::task_state::cancelled, std::nullopt, at(1)));
        CHECK(store::jobs::insert(c, job_row("0badcafe", "t_cccc", "s_jobs")));
        return sessions::with_work(c);
    });

    REQUIRE(busy.has_value());
    CHECK(*busy == std::vector{base::session_id{"s_jobs"}, base::session_id{"s_task"}});
}

} // namespace
} // namespace agentd::testing
