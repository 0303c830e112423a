#include "api/line_times.hpp"
#include "tests/daemon/api/running_api.hpp"

#include <doctest/doctest.h>

using namespace agentd;
using testing::running_api;

namespace {

const std::string output_path{"/v1/jobs/1f3a9c02/output"};

} // namespace

TEST_CASE("output: bytes as they are, from where they are asked for")
{
    running_api api;
    api.service.output = std::string("one\ntwo\0\xff\r\nthree\n", 17);
    const auto all = api.call("GET", output_path);
    CHECK(all.header("content-type") == "application/octet-stream");
    CHECK(all.body == api.service.output);
    CHECK(all.header("x-next-offset") == "17");
    CHECK(all.header("x-gap").empty());
    const auto part = api.call("GET", output_path + "?offset=4&limit=3");
    CHECK(part.body == "two");
    CHECK(part.header("x-next-offset") == "7");
    CHECK(api.call("GET", output_path + "?tail_lines=1").body == "three\n");
    const auto beyond = api.call("GET", output_path + "?offset=17");
    CHECK(beyond.body.empty());
    CHECK(beyond.header("x-next-offset") == "17");
}

TEST_CASE("output: what was left out is named where a read begins in it, and never skipped")
{
    running_api api;
    api.service.output = std::string(100, 'h') + std::string(50, '?') + std::string(30, 't');
    api.service.gap = {100, 150};
    const auto head = api.call("GET", output_path);
    CHECK(head.body == std::string(100, 'h'));
    CHECK(head.header("x-next-offset") == "100");
    CHECK(head.header("x-gap").empty());
    const auto tail = api.call("GET", output_path + "?offset=100");
    CHECK(tail.body == std::string(30, 't'));
    CHECK(tail.header("x-gap") == "100-150");
    CHECK(tail.header("x-next-offset") == "180");
    const auto inside = api.call("GET", output_path + "?offset=120&follow=1");
    CHECK(inside.body == std::string(30, 't'));
    CHECK(inside.header("x-gap") == "120-150");
    CHECK(inside.header("x-next-offset") == "150");
}

TEST_CASE("output: followed until the job has ended")
{
    running_api api;
    api.service.job_ended = false;
    auto client = api.client();
    client.ask("GET", output_path + "?follow=1");
    const auto head = client.receive_head(); // before there is any output
    REQUIRE(head);
    CHECK(head->header("transfer-encoding") == "chunked");
    CHECK(head->header("x-next-offset") == "0");
    for (const std::string line : {"first", "second"}) {
        {
            const std::lock_guard lock{api.service.guard};
            api.service.output += line + "\n";
        }
        CHECK(client.read_line() == line);
    }
    api.service.job_ended = true;
    CHECK_FALSE(client.read_line());
    CHECK(client.call("GET", "/v1/health").status == 200);
}

TEST_CASE("output: a followed stream that meets a gap ends there")
{
    running_api api;
    api.service.output = "head\n....tail\n";
    api.service.gap = {5, 9};
    const auto head = api.call("GET", output_path + "?follow=1");
    CHECK(head.body == "head\n");
    const auto rest = api.call("GET", output_path + "?follow=1&offset=5");
    CHECK(rest.body == "tail\n");
    CHECK(rest.header("x-gap") == "5-9");
}

TEST_CASE("output: a followed stream ends at its limit")
{
    running_api api;
    api.service.job_ended = false;
    api.service.output = "0123456789";
    CHECK(api.call("GET", output_path + "?follow=1&limit=4").body == "0123");
}

TEST_CASE("output: more than one answer may hold comes in several")
{
    running_api api;
    api.service.output = std::string(limits::output_read_bytes + 10, 'x');
    const auto first = api.call("GET", output_path);
    CHECK(first.body.size() == limits::output_read_bytes);
    const auto rest = api.call("GET", output_path + "?offset=" + first.header("x-next-offset"));
    CHECK(rest.body.size() == 10);
}

namespace {

base::wall_time at_ms(std::int64_t n)
{
    return base::wall_time{std::chrono::milliseconds{1'700'000'000'000 + n}};
}

const std::string first{"2023-11-14T22:13:20.001Z "}, second{"2023-11-14T22:13:20.002Z "};

} // namespace

TEST_CASE("output: with timestamps each line has the time of its first byte, counted by nobody")
{
    running_api api;
    api.service.output = "one\ntwo\n\nfour"; // "o" of two comes with the rest
    api.service.times = {{0, at_ms(1)}, {6, at_ms(2)}, {9, {}}};
    const auto all = api.call("GET", output_path + "?timestamps=1");
    CHECK(all.body == first + "one\n" + first + "two\n" + second + "\n- four");
    CHECK(all.header("x-offset") == "0");
    CHECK(all.header("x-next-offset") == "13");
    CHECK(api.call("GET", output_path + "?timestamps=true&follow=1").body == all.body);
    const auto part = api.call("GET", output_path + "?timestamps=1&offset=6&limit=3");
    CHECK(part.body == second + "o\n" + second + "\n");
    CHECK(part.header("x-offset") == "6");
    CHECK(part.header("x-next-offset") == "9");
    CHECK(api.call("GET", output_path + "?timestamps=1&tail_lines=1").body == "- four");
    CHECK(api.call("GET", output_path + "?timestamps=0").body == api.service.output);
    CHECK(api.call("GET", output_path + "?timestamps=maybe").status == 400);
}

TEST_CASE("output: an answer with timestamps is bounded with them")
{
    running_api api;
    api.service.output = std::string(1U << 20, '\n');
    api.service.times = {{0, at_ms(1)}};
    const auto all = api.call("GET", output_path + "?timestamps=1");
    CHECK(all.body.size() >= limits::output_read_bytes);
    CHECK(all.body.size() < limits::output_read_bytes + (api::line_times::piece_bytes * 26));
    CHECK(all.body.size() % 26 == 0);
    CHECK(all.header("x-next-offset") == std::to_string(all.body.size() / 26));
}

TEST_CASE("line times: a line that pieces cut in two has one time")
{
    api::line_times times;
    const std::vector<jobs::time_mark> early{{100, at_ms(1)}}, late{{103, at_ms(2)}};
    CHECK(times.put_before_lines("beg", 100, early) == first + "beg");
    CHECK(times.put_before_lines("in\n", 103, late) == "in\n");
    CHECK(times.put_before_lines("", 106, {}).empty());
    CHECK(times.put_before_lines("next\n", 106, late) == second + "next\n");
    CHECK(times.put_before_lines("none\n", 111, {}) == "- none\n");
}
