#include "base/log.hpp"

#include <doctest/doctest.h>

using namespace agentd;

TEST_CASE("log: a record is one JSON object, whatever the text contains")
{
    const log::field figures[] = {
        {"wall_ms", std::int64_t{12}}, {"rate", 0.5}, {"why", std::string_view{"a\"b"}}};
    const log::record what{log::level::warning, base::wall_time{}, "job.finished",
        "line\nbreak \"quoted\" \xFF", {"s_a", "t_b", "deadbeef"}, figures};
    CHECK(log::to_json(what) ==
        R"({"ts":"1970-01-01T00:00:00.000Z","level":"warning","event":"job.finished",)"
        "\"msg\":\"line\\u000abreak \\\"quoted\\\" \xEF\xBF\xBD\","
        R"("session_id":"s_a","task_id":"t_b","job_id":"deadbeef","wall_ms":12,"rate":0.500,"why":"a\"b"})");
}
