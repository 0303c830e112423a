#include "base/stdin_limits.hpp"
#include "tests/daemon/api/running_api.hpp"

#include <doctest/doctest.h>

using namespace agentd;
using testing::running_api;

namespace {

const std::string input_path{"/v1/jobs/1f3a9c02/input"};

} // namespace

TEST_CASE("input: the bytes of the body go as they are")
{
    running_api api;
    const std::string bytes{"a\0\xff\n", 4};
    const auto done = api.call("POST", input_path + "?eof=1", bytes);
    CHECK(done.status == 200);
    CHECK(
        done.body == R"({"job_id":"1f3a9c02","bytes":4,"complete":true,"closed":true,"why":null})");
    CHECK(api.service.last_text == bytes);
    CHECK(api.service.last_eof);
    CHECK(api.call("POST", input_path, "x").body.find("\"closed\":false") != std::string::npos);
    CHECK_FALSE(api.service.last_eof);
}

TEST_CASE("input: it is bounded, and what is no input is refused")
{
    running_api api;
    CHECK(api.call("POST", input_path, std::string(limits::input_bytes, 'x')).status == 200);
    const auto large = api.call("POST", input_path, std::string(limits::input_bytes + 1, 'x'));
    CHECK(large.status == 413);
    CHECK(large.problem() == "too_large");
    CHECK(large.body.find("1048576") != std::string::npos);
    CHECK(api.call("POST", input_path + "?end=1", "x").problem() == "invalid_parameter");
    CHECK(api.call("POST", "/v1/jobs/00000000/input", "x").status == 404);
}
