// What the model is offered, and that whatever it sends is answered.
#include "proto/json/reader.hpp"
#include "tests/daemon/tools/calls.hpp"
#include "tools/tool.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <vector>

using agentd::testing::calls;
namespace json = agentd::proto::json;
namespace tools = agentd::tools;

TEST_CASE("registry: the definitions are the nine tools with strict schemas")
{
    const tools::registry all;
    const auto parsed = json::parse(all.definitions());
    REQUIRE_MESSAGE(parsed, parsed.error().text);
    const std::vector<std::string_view> names{"bash", "read_file", "write_file", "edit_file",
        "background_run", "check_background", "wait_background", "stop_background",
        "write_background"};
    REQUIRE(parsed->root().items().size() == names.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto& definition = parsed->root().items()[i];
        CHECK(*definition.find_string("name") == names[i]);
        CHECK(definition.find_string("description")->size() > 40);
        const auto* schema = definition.find("input_schema");
        REQUIRE(schema != nullptr);
        CHECK(*schema->find_string("type") == "object");
        CHECK(schema->find("additionalProperties")->as_boolean() == false);
        REQUIRE(schema->find("properties") != nullptr);
        for (const auto& property : schema->find("properties")->members())
            CHECK(property.value.find_string("description") != nullptr);
        REQUIRE(all.find(names[i]) != nullptr);
        CHECK(all.find(names[i])->definition() == definition.raw());
    }
}

TEST_CASE("registry: what changes files is a barrier, and nothing else")
{
    const tools::registry all;
    for (const auto* name : {"write_file", "edit_file"})
        CHECK(all.find(name)->is_barrier());
    for (const auto* name : {"bash", "read_file", "background_run", "check_background",
             "wait_background", "stop_background", "write_background"})
        CHECK_FALSE(all.find(name)->is_barrier());
}

TEST_CASE("registry: an unknown tool is an answer")
{
    calls with;
    CHECK(with.run("python", "{}") == "Error: Unknown tool: python");
    CHECK(with.run("", "{}") == "Error: Unknown tool: ");
    CHECK(with.run("<background-results>\n", "{}") ==
        "Error: Unknown tool: \u2039background-results>\\n");
}

namespace {

struct row {
    std::string_view tool;
    std::string_view input;
    std::string_view names; // what the answer has to speak of
};

void check_refused(const std::vector<row>& table)
{
    calls with;
    for (const auto& [tool, input, names] : table) {
        const auto text = with.run(std::string{tool}, std::string{input});
        CHECK_MESSAGE(text.starts_with("Error: "), tool << " " << input);
        CHECK_MESSAGE(text.find(names) != std::string::npos, text);
    }
    CHECK(with.in.entries() == 0);
    CHECK(with.jobs.started.empty());
    CHECK(with.jobs.stopped.empty());
    CHECK(with.jobs.written.empty());
}

} // namespace

TEST_CASE("registry: bad input of the tools for commands and files names the field")
{
    check_refused({
        {"bash", "", "JSON"},
        {"bash", "[]", "object"},
        {"bash", "{\"command\":\"a\"", "JSON"},
        {"bash", "{}", "\"command\""},
        {"bash", R"({"command":1})", "\"command\""},
        {"bash", R"({"command":null})", "\"command\""},
        {"bash", R"({"command":" "})", "\"command\""},
        {"bash", R"({"command":"a\u0000b"})", "\"command\""},
        {"bash", R"({"command":"a","comand":"b"})", "\"comand\""},
        {"bash", R"({"command":"a","timeout_s":0})", "\"timeout_s\""},
        {"bash", R"({"command":"a","timeout_s":601})", "\"timeout_s\""},
        {"bash", R"({"command":"a","timeout_s":"5"})", "\"timeout_s\""},
        {"bash", R"({"command":"a","timeout_s":1.5})", "\"timeout_s\""},
        {"bash", R"({"command":"a","run_in_background":"yes"})", "\"run_in_background\""},
        {"bash", R"({"command":"a","run_in_background":true,"timeout_s":-1})", "\"timeout_s\""},
        {"read_file", "{}", "\"path\""},
        {"read_file", R"({"path":""})", "\"path\""},
        {"read_file", R"({"path":"a\u0000"})", "\"path\""},
        {"read_file", R"({"path":"a","limit":0})", "\"limit\""},
        {"read_file", R"({"path":"a","limit":true})", "\"limit\""},
        {"read_file", R"({"path":"a","offset":1})", "\"offset\""},
        {"write_file", R"({"path":"a"})", "\"content\""},
        {"write_file", R"({"content":"a"})", "\"path\""},
        {"write_file", R"({"path":"a","content":{}})", "\"content\""},
        {"edit_file", R"({"path":"a","old_text":"a"})", "\"new_text\""},
        {"edit_file", R"({"path":"a","new_text":"a"})", "\"old_text\""},
        {"edit_file", R"({"path":"a","old_text":"","new_text":"a"})", "\"old_text\""},
    });
}

TEST_CASE("registry: bad input of the tools for background tasks names the field")
{
    check_refused({
        {"background_run", "{}", "\"command\""},
        {"background_run", R"({"command":"a","timeout_s":-1})", "\"timeout_s\""},
        {"background_run", R"({"command":"a","run_in_background":true})", "\"run_in_background\""},
        {"check_background", R"({"task_id":1})", "\"task_id\""},
        {"check_background", R"({"offset":1})", "\"offset\""},
        {"check_background", R"({"tail_lines":1})", "\"tail_lines\""},
        {"check_background", R"({"task_id":"a","offset":-1})", "\"offset\""},
        {"check_background", R"({"task_id":"a","tail_lines":0})", "\"tail_lines\""},
        {"check_background", R"({"task_id":"a","offset":1,"tail_lines":1})", "\"tail_lines\""},
        {"wait_background", R"({"task_ids":"a"})", "\"task_ids\""},
        {"wait_background", R"({"task_ids":[1]})", "\"task_ids\""},
        {"wait_background", R"({"mode":"some"})", "\"mode\""},
        {"wait_background", R"({"timeout_s":3601})", "\"timeout_s\""},
        {"stop_background", "{}", "\"task_id\""},
        {"stop_background", R"({"task_id":["a"]})", "\"task_id\""},
        {"background_run", R"({"command":"a","stdin":"yes"})", "\"stdin\""},
        {"background_run", R"({"command":"a","pty":1})", "\"pty\""},
        {"write_background", R"({"text":"a"})", "\"task_id\""},
        {"write_background", R"({"task_id":"a"})", "\"text\""},
        {"write_background", R"({"task_id":"a","text":1})", "\"text\""},
        {"write_background", R"({"task_id":"a","text":"a","eof":1})", "\"eof\""},
        {"write_background", R"({"task_id":"a","text":"a","end":true})", "\"end\""},
    });
}

TEST_CASE("registry: a bound that is out of range, or that nothing here would enforce, is refused")
{
    struct row {
        std::string_view bound;
        std::string_view says; // the answer, behind the field's name
    };
    // The tests' commands have no control groups, so no controllers.
    const std::vector<row> table{
        {R"("cpu_s":0)", R"("cpu_s": must be between 1 and 2592000)"},
        {R"("cpu_s":"1")", R"("cpu_s": must be)"},
        {R"("memory_bytes":1000)", R"("memory_bytes": must be between 1048576 and )"},
        {R"("memory_bytes":1.5)", R"("memory_bytes": must be)"},
        {R"("memory_bytes":100000000)", R"("memory_bytes": cannot be enforced here)"},
        {R"("processes":4000001)", R"("processes": must be between 1 and 4000000)"},
        {R"("processes":9)", R"("processes": cannot be enforced here)"},
        {R"("max_output_bytes":0)", R"("max_output_bytes": must be between 1 and )"},
        {R"("file_bytes":-1)", R"("file_bytes": must be between 1 and )"},
    };
    calls with;
    for (const auto& [bound, says] : table) {
        const auto input = fmt::format(R"({{"command":"touch ran",{}}})", bound);
        for (const char* tool : {"bash", "background_run"}) {
            const auto text = with.run(tool, input);
            CHECK_MESSAGE(text.starts_with("Error: "), text);
            CHECK_MESSAGE(text.find(says) != std::string::npos, text);
        }
    }
    CHECK(with.in.entries() == 0);
    CHECK(with.jobs.started.empty());
}

TEST_CASE("registry: the policy is asked by bash and by background_run alike")
{
    calls with;
    for (const auto* input : {R"({"command":"sudo ls"})", R"({"command":"rm -rf /"})"}) {
        CHECK(with.run("bash", input) == "Error: Dangerous command blocked");
        CHECK(with.run("background_run", input) == "Error: Dangerous command blocked");
    }
    CHECK(with.run("bash", R"({"command":"reboot","run_in_background":true})") ==
        "Error: Dangerous command blocked");
    CHECK(with.jobs.started.empty());
}

TEST_CASE("registry: a command longer than the kernel takes is refused with a way out")
{
    calls with;
    const auto text =
        with.run("bash", R"({"command":"true )" + std::string(200'000, 'x') + R"("})");
    CHECK(text.starts_with("Error: field \"command\": is longer than"));
}
