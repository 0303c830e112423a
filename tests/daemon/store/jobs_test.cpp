#include "store/idempotency.hpp"
#include "store/jobs.hpp"
#include "tests/daemon/store/tables.hpp"

namespace agentd::testing {
namespace {

namespace jobs = store::jobs;
namespace idempotency = store::idempotency;
using proto::api::job_state;

TEST_CASE("jobs: from queued to its end, everything that is known of it is kept")
{
    tables db;
    const base::job_id id{"0000000a"};
    auto made = job_row("0000000a", "t_aaaa", "s_aaaa");
    made.timeout_s = 60;
    REQUIRE(jobs::insert(*db, made));
    CHECK(!jobs::insert(*db, made));
    jobs::start(*db, id, at(3100), 77, 88, "boot");

    auto ended = *jobs::find(*db, id);
    CHECK(ended.shown.state == job_state::running);
    CHECK(ended.shown.started_at == at(3100));
    CHECK(ended.timeout_s == 60);
    CHECK(ended.pid == 77);
    CHECK(ended.pid_start == 88);
    CHECK(ended.boot_id == "boot");
    jobs::note_process(*db, id, 79, 99, "later");
    CHECK(jobs::find(*db, id)->pid == 79);
    CHECK(jobs::find(*db, id)->pid_start == 99);
    CHECK(jobs::find(*db, id)->boot_id == "later");
    CHECK(!ended.shown.exit_code.has_value());
    ended.shown.state = job_state::killed;
    ended.shown.by = "user";
    ended.shown.reason = "why";
    ended.shown.exit_code = 1;
    ended.shown.signal = 9;
    ended.shown.oom = true;
    ended.shown.wall_ms = 10;
    ended.shown.cpu_ms = 11;
    ended.shown.peak_bytes = 12;
    ended.shown.output_bytes = 13;
    ended.shown.gap = proto::api::byte_gap{2, 5};
    ended.shown.ended_at = at(3200);
    ended.preview_head = std::string{"a\0\xff", 3};
    ended.preview_tail = "z";
    CHECK(jobs::finish(*db, ended));
    CHECK(!jobs::finish(*db, ended)); // it ends once

    const auto row = jobs::find(*db, id);
    CHECK(row->shown.state == job_state::killed);
    CHECK(row->shown.by == "user");
    CHECK(row->shown.reason == "why");
    CHECK(row->shown.exit_code == 1);
    CHECK(row->shown.signal == 9);
    CHECK(row->shown.oom);
    CHECK(row->shown.wall_ms == 10);
    CHECK(row->shown.cpu_ms == 11);
    CHECK(row->shown.peak_bytes == 12);
    CHECK(row->shown.output_bytes == 13);
    CHECK(row->shown.gap->start == 2);
    CHECK(row->shown.gap->end == 5);
    CHECK(row->shown.ended_at == at(3200));
    CHECK(row->preview_head == ended.preview_head);
    CHECK(row->preview_tail == "z");
    CHECK(row->shown.command == "make 0000000a");
}

TEST_CASE("jobs: those that live are counted and listed")
{
    tables db;
    REQUIRE(jobs::insert(*db, job_row("00000001", "t_aaaa", "s_aaaa")));
    REQUIRE(jobs::insert(*db, job_row("00000002", "t_bbbb", "s_aaaa")));
    REQUIRE(jobs::insert(*db, job_row("00000003", "t_bbbb", "s_aaaa")));
    REQUIRE(jobs::insert(*db, job_row("00000004", "t_cccc", "s_cccc")));
    auto ended = *jobs::find(*db, base::job_id{"00000002"});
    ended.shown.state = job_state::completed;
    REQUIRE(jobs::finish(*db, ended));

    CHECK(jobs::count_live(*db, base::task_id{"t_aaaa"}) == 1);
    CHECK(jobs::count_live(*db, base::task_id{"t_bbbb"}) == 1);
    CHECK(jobs::count_live(*db, base::session_id{"s_aaaa"}) == 2);
    CHECK(jobs::count_live(*db, base::session_id{"s_none"}) == 0);
    std::vector<proto::api::job> alive;
    for (const auto& row : jobs::live(*db))
        alive.push_back(row.shown);
    CHECK(ids_of(alive) == names({"00000001", "00000003", "00000004"}));
}

TEST_CASE("jobs: lists by every filter, newest first")
{
    tables db;
    for (int i = 0; i < 8; ++i) {
        const auto number = std::to_string(i);
        auto row =
            job_row("0000000" + number, "t_" + std::to_string(i % 4), "s_" + std::to_string(i % 2));
        row.owner_uid = i < 4 ? 1 : 2;
        REQUIRE(jobs::insert(*db, row));
    }
    auto ended = *jobs::find(*db, base::job_id{"00000006"});
    ended.shown.state = job_state::lost;
    REQUIRE(jobs::finish(*db, ended));
    const auto list = [&db](jobs::filter which) {
        if (which.limit == 0)
            which.limit = 100;
        return ids_of(jobs::list(*db, which));
    };

    CHECK(list({.limit = 2}) == names({"00000007", "00000006"}));
    CHECK(list({.limit = 2, .after = "00000006"}) == names({"00000005", "00000004"}));
    CHECK(list({.owner_uid = 1U, .limit = 2}) == names({"00000003", "00000002"}));
    CHECK(list({.session_id = base::session_id{"s_1"}}).size() == 4);
    CHECK(list({.task_id = base::task_id{"t_2"}}) == names({"00000006", "00000002"}));
    CHECK(list({.states = {job_state::lost}}) == names({"00000006"}));
    CHECK(list({.states = {job_state::queued, job_state::running}, .limit = 2}) ==
        names({"00000007", "00000005"}));
    CHECK(list({.session_id = base::session_id{"s_0"},
              .task_id = base::task_id{"t_2"},
              .states = {job_state::queued}}) == names({"00000002"}));
    CHECK(list({.owner_uid = 2U, .task_id = base::task_id{"t_1"}}) == names({"00000005"}));
    CHECK(jobs::ids_with_prefix(*db, "0000", 1U, 2) == names({"00000000", "00000001"}));
}

TEST_CASE("idempotency: the first answer is kept for a day, by uid and path")
{
    tables db;
    const idempotency::row first{1, "/v1/tasks", "key", "hash", 202, "/v1/tasks/t_a", "{}"};
    const auto start = at(1'000'000);
    const auto day = std::chrono::hours{24};
    idempotency::insert(*db, first, start);

    const auto found =
        idempotency::find(*db, 1, "/v1/tasks", "key", start + day - std::chrono::seconds{1});
    REQUIRE(found.has_value());
    CHECK(found->body_hash == "hash");
    CHECK(found->status == 202);
    CHECK(found->location == "/v1/tasks/t_a");
    CHECK(found->answer == "{}");
    CHECK(!idempotency::find(*db, 2, "/v1/tasks", "key", start).has_value());
    CHECK(!idempotency::find(*db, 1, "/v1/other", "key", start).has_value());
    CHECK(!idempotency::find(*db, 1, "/v1/tasks", "key", start + day).has_value());

    idempotency::insert(*db, first, start + day); // takes the place of the expired one
    CHECK(idempotency::find(*db, 1, "/v1/tasks", "key", start + day).has_value());
    CHECK(!idempotency::has_expired(*db, start + day));
    CHECK(idempotency::has_expired(*db, start + day + day));
    CHECK(idempotency::purge(*db, start + day + day, 10) == 1);
    CHECK(db->number("SELECT count(*) FROM idempotency") == 0);
}

} // namespace
} // namespace agentd::testing
