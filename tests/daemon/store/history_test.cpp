// A session's history: messages, epochs, calls, and the notifications they carry.
#include "tests/daemon/store/tables.hpp"

namespace agentd::testing {
namespace {

namespace calls = store::calls;
namespace messages = store::messages;
namespace notifications = store::notifications;

const base::session_id session{"s_aaaa"};

messages::row message(const std::string& role, const std::string& content, std::int64_t epoch = 1)
{
    messages::row row;
    row.shown.role = role;
    row.shown.content = content;
    row.shown.epoch = epoch;
    row.shown.task_id = base::task_id{"t_aaaa"};
    row.shown.created_at = at(5000);
    return row;
}

std::vector<std::int64_t> seqs(const std::vector<messages::row>& rows)
{
    std::vector<std::int64_t> all;
    all.reserve(rows.size());
    for (const auto& row : rows)
        all.push_back(row.shown.seq);
    return all;
}

void add_session(tables& db)
{
    REQUIRE(store::sessions::insert(*db, session_row("s_aaaa")));
}

TEST_CASE("messages: each gets the session's next number, and the session counts them")
{
    tables db;
    add_session(db);
    const std::string bytes{"[{\"type\":\"text\",\"text\":\"\xc3\xa9\"}]"};
    CHECK(messages::append(*db, session, message("user", bytes)) == 1);
    CHECK(messages::append(*db, session, message("assistant", "[]")) == 2);

    const auto rows = messages::history(*db, session, 1);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].shown.content == bytes);
    CHECK(rows[0].shown.role == "user");
    CHECK(rows[0].shown.task_id.str() == "t_aaaa");
    CHECK(rows[0].shown.created_at == at(5000));
    CHECK(rows[0].answered);
    CHECK(store::sessions::find(*db, session)->shown.messages == 2);
    CHECK_THROWS_AS(
        static_cast<void>(messages::append(*db, base::session_id{"s_none"}, message("user", "[]"))),
        store::sqlite_error);
}

TEST_CASE("messages: an unanswered one can be rewritten, an answered one is frozen")
{
    tables db;
    add_session(db);
    auto open = message("user", "[1]");
    open.answered = false;
    const auto seq = messages::append(*db, session, open);
    const base::task_id other{"t_otherother"};
    messages::rewrite(*db, session, seq, "[1,2]", other);
    CHECK(!messages::history(*db, session, 1)[0].answered);
    CHECK(messages::history(*db, session, 1)[0].shown.task_id == other);
    messages::mark_answered(*db, session, seq);
    messages::rewrite(*db, session, seq, "[1,2,3]", other);
    CHECK(messages::history(*db, session, 1)[0].answered);
    CHECK(messages::history(*db, session, 1)[0].shown.content == "[1,2]");
}

TEST_CASE("messages: what was summarised is no part of the new epoch, and stays one of the old")
{
    tables db;
    add_session(db);
    messages::epoch first;
    first.model = "m";
    messages::insert_epoch(*db, session, first);
    for (const char* role : {"user", "assistant"})
        CHECK(messages::append(*db, session, message(role, "[1]")) > 0);
    messages::epoch second = first;
    second.number = 2;
    second.first_seq = 3;
    messages::insert_epoch(*db, session, second);
    CHECK(messages::append(*db, session, message("user", "[2]", 2)) == 3);
    // Another model later: the same conversation from the same message on.
    auto third = *messages::find_epoch(*db, session, 2);
    CHECK(third.first_seq == 3);
    third.number = 3;
    messages::insert_epoch(*db, session, third);
    CHECK(messages::append(*db, session, message("assistant", "[3]", 3)) == 4);
    CHECK(seqs(messages::history(*db, session, 1)) == std::vector<std::int64_t>{1, 2});
    CHECK(seqs(messages::history(*db, session, 2)) == std::vector<std::int64_t>{3});
    CHECK(seqs(messages::history(*db, session, 3)) == std::vector<std::int64_t>{3, 4});
    CHECK(messages::list(*db, session, 0, 10).size() == 4);
}

TEST_CASE("messages: an epoch's history leaves out what ended before and what came after")
{
    tables db;
    add_session(db);
    for (const std::int64_t epoch : {1, 1, 1, 2, 3})
        static_cast<void>(messages::append(*db, session, message("user", "[]", epoch)));
    messages::end_at(*db, session, 1, 2);
    messages::end_at(*db, session, 2, 3);

    CHECK(seqs(messages::history(*db, session, 1)) == std::vector<std::int64_t>{1, 2, 3});
    CHECK(seqs(messages::history(*db, session, 2)) == std::vector<std::int64_t>{2, 3, 4});
    CHECK(seqs(messages::history(*db, session, 3)) == std::vector<std::int64_t>{3, 4, 5});
    const auto page = messages::list(*db, session, 2, 2); // of all epochs
    REQUIRE(page.size() == 2);
    CHECK(page[0].seq == 3);
    CHECK(page[1].seq == 4);
}

TEST_CASE("messages: an epoch's fixed bytes are kept")
{
    tables db;
    add_session(db);
    messages::insert_epoch(*db, session, {2, "m2", "[\"system\"]", "[\"tools\"]"});
    const auto found = messages::find_epoch(*db, session, 2);
    REQUIRE(found.has_value());
    CHECK(found->number == 2);
    CHECK(found->model == "m2");
    CHECK(found->system == "[\"system\"]");
    CHECK(found->tools == "[\"tools\"]");
    CHECK(!messages::find_epoch(*db, session, 1).has_value());
}

TEST_CASE("calls: asked, started, finished, in the order of the reply")
{
    tables db;
    add_session(db);
    for (const std::int64_t position : {0, 1, 2}) {
        calls::row call;
        call.message_seq = 4;
        call.position = position;
        call.task_id = base::task_id{"t_aaaa"};
        call.tool_id = "toolu_" + std::to_string(position);
        call.name = "bash";
        call.input = "{\"command\":\"true\"}";
        calls::insert(*db, session, call);
    }
    calls::row refused;
    refused.message_seq = 2;
    refused.state = calls::state::finished;
    refused.text = "Error: no";
    refused.is_error = true;
    calls::insert(*db, session, refused);

    calls::start(*db, session, 4, 1);
    calls::start(*db, session, 4, 2);
    calls::finish(*db, session, 4, 2, "out", true);
    calls::start(*db, session, 4, 2); // ended calls do not start again

    const auto rows = calls::of_message(*db, session, 4);
    REQUIRE(rows.size() == 3);
    CHECK(rows[0].state == calls::state::asked);
    CHECK(rows[1].state == calls::state::started);
    CHECK(rows[2].state == calls::state::finished);
    CHECK(rows[2].text == "out");
    CHECK(rows[2].is_error);
    CHECK(rows[0].tool_id == "toolu_0");
    CHECK(rows[0].input == "{\"command\":\"true\"}");
    CHECK(rows[0].name == "bash");
    CHECK(rows[0].task_id.str() == "t_aaaa");
    CHECK(calls::of_message(*db, session, 2).at(0).text == "Error: no");
    CHECK(calls::of_message(*db, session, 3).empty());
    CHECK(calls::newest_message(*db, session) == 4);
    CHECK(calls::newest_message(*db, base::session_id{"s_none"}) == 0);
}

notifications::row job_ended(const std::string& job)
{
    notifications::row row;
    row.session_id = session;
    row.task_id = base::task_id{"t_aaaa"};
    row.job_id = base::job_id{job};
    return row;
}

notifications::row user_message(const std::string& text)
{
    notifications::row row;
    row.session_id = session;
    row.task_id = base::task_id{"t_aaaa"};
    row.kind = notifications::kind::user_message;
    row.text = text;
    return row;
}

TEST_CASE("notifications: each is delivered once, by the message that carries it")
{
    tables db;
    const auto first = notifications::queue(*db, job_ended("00000001"));
    const auto second = notifications::queue(*db, user_message("hello"));
    const auto third = notifications::queue(*db, job_ended("00000003"));
    CHECK(first < second);
    CHECK(notifications::count_waiting(*db, session) == 3);
    CHECK(notifications::count_messages(*db, base::task_id{"t_aaaa"}) == 1);

    notifications::attach(*db, first, 7);
    notifications::attach(*db, second, 7);
    CHECK(notifications::count_waiting(*db, session) == 1);
    CHECK(notifications::undelivered(*db, session).size() == 3);
    const auto delivered = notifications::deliver(*db, session, 7);

    REQUIRE(delivered.size() == 2);
    CHECK(delivered[0].job_id.str() == "00000001");
    CHECK(delivered[1].text == "hello");
    CHECK(delivered[1].kind == notifications::kind::user_message);
    CHECK(notifications::deliver(*db, session, 7).empty());
    CHECK(notifications::count_messages(*db, base::task_id{"t_aaaa"}) == 0);
    const auto left = notifications::undelivered(*db, session);
    REQUIRE(left.size() == 1);
    CHECK(left[0].id == third);
    CHECK(left[0].session_id == session);
    CHECK(left[0].message_seq == 0);
}

TEST_CASE("notifications: what a refused message carried is undelivered again")
{
    tables db;
    const auto first = notifications::queue(*db, job_ended("00000001"));
    const auto second = notifications::queue(*db, user_message("hello"));
    notifications::attach(*db, first, 7);
    notifications::attach(*db, second, 7);
    CHECK(notifications::deliver(*db, session, 7).size() == 2);

    notifications::detach_all(*db, session, 7);

    CHECK(notifications::count_waiting(*db, session) == 2);
    CHECK(notifications::deliver(*db, session, 7).empty());
    notifications::attach(*db, first, 9);
    CHECK(notifications::deliver(*db, session, 9).size() == 1);
}

TEST_CASE("sessions: a removed one takes its whole history along")
{
    tables db;
    add_session(db);
    static_cast<void>(messages::append(*db, session, message("user", "[]")));
    messages::insert_epoch(*db, session, {1, "m", "[]", "[]"});
    calls::row call;
    call.state = calls::state::finished;
    calls::insert(*db, session, call);
    static_cast<void>(notifications::queue(*db, user_message("x")));

    store::sessions::remove(*db, session);

    for (const char* table :
        {"sessions", "messages", "epochs", "calls", "call_inputs", "call_answers", "notifications"})
        CHECK_MESSAGE(db->number(std::string{"SELECT count(*) FROM "} + table) == 0, table);
}

} // namespace
} // namespace agentd::testing
