#include "api/event_lines.hpp"
#include "api/request.hpp"
#include "api/router.hpp"

#include <doctest/doctest.h>

using namespace agentd;
using api::percent_decoded;

namespace {

api::request parsed(std::string_view target)
{
    api::request out;
    REQUIRE(api::take_target(out, target));
    return out;
}

} // namespace

TEST_CASE("request: percent escapes are decoded or refused")
{
    CHECK(percent_decoded("a%20b+c", true) == "a b c");
    CHECK(percent_decoded("a+b", false) == "a+b");
    CHECK(percent_decoded("%C3%a4", false) == "\xc3\xa4");
    for (const std::string_view bad : {"%", "%4", "%4g", "a%", "%00", "%ff", "%C3"})
        CHECK_FALSE(percent_decoded(bad, true));
}

TEST_CASE("request: a target is taken apart")
{
    const auto r = parsed("/v1/tasks/t_a%2Fb?x=1&y=&z&&x=2%263");
    CHECK(r.path == std::vector<std::string>{"v1", "tasks", "t_a/b"});
    CHECK(r.raw_path == "/v1/tasks/t_a%2Fb");
    using pair = std::pair<std::string, std::string>;
    CHECK(r.query == std::vector<pair>{{"x", "1"}, {"y", ""}, {"z", ""}, {"x", "2&3"}});
    CHECK(parsed("/").path == std::vector<std::string>{""});
    CHECK(parsed("/v1/").path == std::vector<std::string>{"v1", ""});
    api::request out;
    CHECK_FALSE(api::take_target(out, "*"));
    CHECK_FALSE(api::take_target(out, ""));
}

TEST_CASE("request: parameters that nobody asked for are wrong")
{
    const auto r = parsed("/x?a=1&b=2,3&b=4");
    api::parameters in{r};
    CHECK(in.number("a", 9, 0, 5) == 1);
    CHECK(in.list("b") == std::vector<std::string>{"2", "3", "4"});
    CHECK(in.number("c", 9, 0, 5) == 9);
    CHECK_FALSE(in.wrong());
    api::parameters careless{r};
    CHECK(careless.text("a") == "1");
    const auto wrong = careless.wrong();
    REQUIRE(wrong);
    CHECK(wrong->text == "field \"b\": is not a parameter of this call");
}

TEST_CASE("router: each path has its methods")
{
    const auto found = api::find_route("GET", {"v1", "tasks", "t_x", "wait"});
    CHECK((found.answer == &api::wait_for_task));
    CHECK(found.id == "t_x");
    const auto other = api::find_route("PUT", {"v1", "sessions", "s_x"});
    CHECK((other.answer == nullptr));
    CHECK(other.allow == "GET, DELETE");
    CHECK((api::find_route("POST", {"v1", "sessions", "import"}).answer == &api::import_session));
    CHECK(api::find_route("GET", {"v1", "sessions", "import"}).allow == "POST");
    CHECK(api::find_route("GET", {"v1"}).allow.empty());
    CHECK(api::find_route("GET", {}).allow.empty());
    CHECK(api::find_route("GET", {"v1", "tasks", "a", "b", "c"}).allow.empty());
}

TEST_CASE("event lines: NDJSON and server-sent events")
{
    std::string out;
    api::append_line(out, api::event_format::ndjson, 4, "{}");
    api::append_heartbeat(out, api::event_format::ndjson, 7);
    CHECK(out == "{}\n{\"type\":\"heartbeat\",\"resume_after\":7}\n");
    out.clear();
    api::append_line(out, api::event_format::sse, 4, "{}");
    api::append_line(out, api::event_format::sse, 0, "{}");
    api::append_lagged(out, api::event_format::sse, 7);
    CHECK(
        out == "id: 4\ndata: {}\n\ndata: {}\n\ndata: {\"type\":\"lagged\",\"resume_after\":7}\n\n");
}
