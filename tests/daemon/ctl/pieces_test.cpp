// The pure pieces of agentctl: exit codes, the socket's path, what reaches a terminal, figures.
#include "ctl/client.hpp"
#include "ctl/console.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/format.hpp"
#include "ctl/socket_path.hpp"
#include "ctl/stamped_lines.hpp"

#include <doctest/doctest.h>

#include <map>

using namespace agentd;

TEST_CASE("exit codes: the frozen table")
{
    using ctl::errc;
    const std::map<errc, int> frozen{{errc::task_failed, 1}, {errc::usage, 2},
        {errc::unreachable, 3}, {errc::lost, 3}, {errc::not_found, 4}, {errc::denied, 5},
        {errc::task_cancelled, 6}, {errc::refused, 7}, {errc::daemon_error, 8},
        {errc::wait_timed_out, 124}, {errc::interrupted, 130}};
    for (const auto& [why, code] : frozen)
        CHECK(ctl::exit_code(why) == code);
    const std::map<unsigned, int> statuses{{400, 2}, {413, 2}, {422, 2}, {405, 2}, {401, 5},
        {403, 5}, {409, 5}, {404, 4}, {410, 4}, {429, 7}, {503, 7}, {507, 7}, {500, 8}, {501, 8},
        {302, 8}};
    for (const auto& [status, code] : statuses) {
        CAPTURE(status);
        CHECK(ctl::exit_code(ctl::from_status(status)) == code);
    }
}

TEST_CASE("socket path: flag, environment, the user's if there, the system's")
{
    const auto env_of = [](std::map<std::string, std::string> values) -> ctl::environment {
        return [values](const std::string& name) -> std::optional<std::string> {
            const auto found = values.find(name);
            return found == values.end() ? std::nullopt : std::optional{found->second};
        };
    };
    const auto there = [](std::string path) -> ctl::exists {
        return [path](const std::string& asked) { return asked == path; };
    };
    const auto all =
        env_of({{"AGENTD_SOCKET", "/env"}, {"XDG_RUNTIME_DIR", "/run/user/1"}, {"HOME", "/h"}});
    CHECK(ctl::find_socket("/flag", all, there("")) == "/flag");
    CHECK(ctl::find_socket({}, all, there("")) == "/env");
    const auto user =
        env_of({{"AGENTD_SOCKET", ""}, {"XDG_RUNTIME_DIR", "/run/user/1"}, {"HOME", "/h"}});
    CHECK(ctl::find_socket({}, user, there("/run/user/1/agentd/agentd.sock")) ==
        "/run/user/1/agentd/agentd.sock");
    CHECK(ctl::find_socket({}, user, there("/h/.local/state/agentd/agentd.sock")) ==
        "/h/.local/state/agentd/agentd.sock");
    CHECK(ctl::find_socket({}, user, there("/none")) == "/run/agentd/agentd.sock");
}

TEST_CASE("console: nothing that acts on a terminal gets through")
{
    CHECK(ctl::harmless("a\x1b[2Jb") == "ab");
    CHECK(ctl::harmless("10%\r20%\r\n") == "10%\n20%\n");
    CHECK(ctl::harmless("a\vb\fc\td") == "a\nb\nc\td");
    for (const char c : ctl::harmless("\x1b]0;title\a\x07\x08\x9b x\x1b"))
        CHECK((static_cast<unsigned char>(c) >= 0x20 || c == '\n'));
}

TEST_CASE("console: a stream cut anywhere comes out as if it were whole")
{
    const std::string whole =
        "x\x1b[31mred\x1b[0m \xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 a\r\nb\rc\xFF.";
    const auto expected = ctl::harmless(whole);
    for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
        CAPTURE(cut);
        ctl::harmless_stream stream;
        auto out = stream.feed(whole.substr(0, cut));
        out += stream.feed(whole.substr(cut));
        out += stream.finish();
        CHECK(out == expected);
    }
    ctl::harmless_stream bytewise;
    std::string out;
    for (const char c : whole)
        out += bytewise.feed(std::string_view{&c, 1});
    out += bytewise.finish();
    CHECK(out == expected);
}

TEST_CASE("format: figures are short")
{
    CHECK(ctl::short_duration(350) == "350ms");
    CHECK(ctl::short_duration(12'430) == "12.4s");
    CHECK(ctl::short_duration(185'000) == "3m05s");
    CHECK(ctl::short_duration(7'800'000) == "2h10m");
    CHECK(ctl::short_duration(97 * 3'600'000LL) == "4d01h");
    CHECK(ctl::short_bytes(812) == "812");
    CHECK(ctl::short_bytes(18'637) == "18.2K");
    CHECK(ctl::short_bytes(std::uint64_t{4} << 30) == "4.0G");
    CHECK(ctl::short_cost(0) == "-");
    CHECK(ctl::short_cost(0.00421) == "$0.0042");
}

TEST_CASE("format: an event is a line of clock time, ids, type and what its type has")
{
    const auto event = proto::json::parse(
        R"({"seq":7,"time":"2026-11-20T07:37:09.123Z","type":"job.finished","session_id":"s_a",)"
        R"("task_id":"t_b","job_id":"1f3a9c02","state":"completed","gap":null,"usage":{"input":3}})");
    REQUIRE(event);
    CHECK(ctl::event_text(event->root()) ==
        "07:37:09.123 t_b 1f3a9c02 job.finished state=completed usage.input=3");
    const auto text = proto::json::parse(
        R"({"time":"2026-11-20T07:37:09.123Z","type":"model.text","session_id":"s_a","text":"a\nb"})");
    REQUIRE(text);
    CHECK(ctl::event_text(text->root()) == "07:37:09.123 s_a model.text\n    a\n    b");
}

TEST_CASE("client: a query is escaped, a problem's words are shown")
{
    ctl::query q;
    CHECK(q.text().empty());
    q.add("label", "a=b&c");
    q.add("x", "1");
    CHECK(q.text() == "?label=a%3Db%26c&x=1");
    const auto problem = ctl::error_of(409,
        R"({"type":"urn:agentd:problem:ambiguous_id","title":"Ambiguous","detail":"two begin so",)"
        R"("candidates":["t_aaaa","t_aabb"]})");
    CHECK(problem.is(ctl::errc::denied));
    CHECK(problem.text == "two begin so\n  t_aaaa\n  t_aabb");
    CHECK(ctl::error_of(500, "no json").text == "the daemon answered 500");
    CHECK(ctl::error_of(500, R"({"title":"T","request_id":"r1"})").text == "T (request r1)");
}

TEST_CASE("stamped lines: answers make one text, however they are cut; a gap ends a line")
{
    const std::string answer{"T1 one\nT2 two\n- thr"};
    for (std::size_t cut = 0; cut <= answer.size(); ++cut) {
        CAPTURE(cut);
        ctl::stamped_lines lines;
        CHECK(lines.begin(false).empty());
        const auto first = lines.feed(std::string_view{answer}.substr(0, cut));
        CHECK(first + lines.feed(std::string_view{answer}.substr(cut)) == answer);
        CHECK(lines.own_bytes() == 11);
        CHECK(lines.begin(false).empty());
        CHECK(lines.feed("T3 ee\nT4 four") == "ee\nT4 four");
        CHECK(lines.own_bytes() == 7);
        CHECK(lines.begin(true) == "\n");
        CHECK(lines.feed("T5 behind") == "T5 behind");
        CHECK(lines.own_bytes() == 6);
    }
}
