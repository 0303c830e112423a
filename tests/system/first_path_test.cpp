// The thinnest whole path: a task goes in through the socket, the answer comes out.
#include "tests/support/harness/world.hpp"

#include <boost/json/serialize.hpp>

#include <doctest/doctest.h>

using namespace agentd::testing;
namespace js = boost::json;

TEST_CASE("a task goes in through the socket, the model is asked over TLS, the answer comes out")
{
    world w{{.scenario = R"({"conversations":[{"match":{"prompt":"greet"},"steps":[
        {"reply":{"content":[{"type":"text","text":"Hello, world."}]}}]}]})"}};
    const auto task = w.submit("greet the world");
    const auto end = w.ended(task);
    CHECK(end.at("state").as_string() == "succeeded");
    CHECK(end.at("result").as_string() == "Hello, world.");
    CHECK(end.at("turns").as_int64() == 1);
    w.check_model_content();
}

TEST_CASE("a background job's result reaches the model before its next request, by itself")
{
    world w{{.scenario = R"({"conversations":[{"match":{"prompt":"build"},"steps":[
        {"reply":{"content":[
         {"type":"tool_use","name":"background_run","input":{"command":"echo built; exit 3"}}]}},
        {"expect":{"tool_results":[{"contains":"started: echo built","is_error":false}]},
         "reply":{"content":[{"type":"text","text":"I wait."}]}},
        {"expect":{"contains":["[bg:","completed: exit 3","| built"]},
         "reply":{"content":[{"type":"text","text":"It failed with 3."}]}}]}]})"}};
    const auto task = w.submit("build it");
    const auto end = w.ended(task);
    CHECK_MESSAGE(end.at("state").as_string() == "succeeded", js::serialize(end) << w.log());
    CHECK(end.at("result").as_string() == "It failed with 3.");
    w.check_model_content();
}
