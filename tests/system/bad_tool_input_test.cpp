// Wrong inputs of the model to its tools: each is an answer that names the field, marked as an
// error, and the loop goes on.
#include "tests/system/surface.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

using namespace agentd::testing;

namespace {

struct bad_call {
    std::string tool;
    js::object input;
    std::string said; // part of the answer
};

std::vector<bad_call> bad_commands()
{
    return {{"fly", {{"to", "the moon"}}, "Unknown tool: fly"}, {"bash", {}, "\"command\""},
        {"bash", {{"command", 5}}, "\"command\""}, {"bash", {{"command", " "}}, "\"command\""},
        {"bash", {{"command", "true"}, {"timeout_s", 0}}, "\"timeout_s\""},
        {"bash", {{"command", "true"}, {"timeout_s", 601}}, "\"timeout_s\""},
        {"bash", {{"command", "true"}, {"timeout_s", "ten"}}, "\"timeout_s\""},
        {"bash", {{"command", "true"}, {"colour", 1}}, "\"colour\""},
        {"bash", {{"command", "true"}, {"run_in_background", "yes"}}, "\"run_in_background\""},
        {"bash", {{"command", "rm -rf /"}}, "Dangerous command blocked"},
        {"background_run", {}, "\"command\""},
        {"background_run", {{"command", nullptr}}, "\"command\""},
        {"background_run", {{"command", "true"}, {"timeout_s", -1}}, "\"timeout_s\""},
        {"background_run", {{"command", "sudo rm -rf /"}}, "Dangerous command blocked"},
        {"check_background", {{"task_id", 5}}, "\"task_id\""},
        {"check_background", {{"task_id", "deadbeef"}}, "deadbeef"},
        {"check_background", {{"offset", 0}}, "\"offset\""},
        {"check_background", {{"task_id", "deadbeef"}, {"tail_lines", 0}}, "\"tail_lines\""},
        {"wait_background", {{"mode", "some"}}, "\"mode\""},
        {"wait_background", {{"timeout_s", 3601}}, "\"timeout_s\""},
        {"wait_background", {{"task_ids", "all"}}, "\"task_ids\""},
        {"wait_background", {{"task_ids", js::array{5}}}, "\"task_ids"},
        {"wait_background", {{"task_ids", js::array{"deadbeef"}}}, "deadbeef"},
        {"stop_background", {}, "\"task_id\""},
        {"stop_background", {{"task_id", "deadbeef"}}, "deadbeef"}};
}

std::vector<bad_call> bad_files()
{
    return {{"read_file", {}, "\"path\""}, {"read_file", {{"path", 5}}, "\"path\""},
        {"read_file", {{"path", ""}}, "\"path\""},
        {"read_file", {{"path", "f"}, {"limit", 0}}, "\"limit\""},
        {"read_file", {{"path", "../../etc/passwd"}}, "../../etc/passwd"},
        {"read_file", {{"path", "/etc/passwd"}}, "/etc/passwd"},
        {"read_file", {{"path", "out/passwd"}}, "out/passwd"},
        {"read_file", {{"path", "/proc/self/environ"}}, "/proc/self/environ"},
        {"read_file", {{"path", "nosuch"}}, "nosuch"}, {"read_file", {{"path", "."}}, "."},
        {"read_file", {{"path", "fifo"}}, "fifo"}, {"write_file", {{"path", "f"}}, "\"content\""},
        {"write_file", {{"path", "f"}, {"content", 5}}, "\"content\""},
        {"write_file", {{"path", "../evil"}, {"content", "x"}}, "../evil"},
        {"write_file", {{"path", "/tmp/agentd-evil"}, {"content", "x"}}, "/tmp/agentd-evil"},
        {"write_file", {{"path", "up/evil"}, {"content", "x"}}, "up/evil"},
        {"edit_file", {{"path", "f"}, {"new_text", "y"}}, "\"old_text\""},
        {"edit_file", {{"path", "f"}, {"old_text", ""}, {"new_text", "y"}}, "\"old_text\""},
        {"edit_file", {{"path", "f"}, {"old_text", "x"}}, "\"new_text\""},
        {"edit_file", {{"path", "up/s"}, {"old_text", "x"}, {"new_text", "y"}}, "up/s"}};
}

// One reply with all these calls; the next request has to answer each of them as an error.
std::string scenario_of(const std::vector<bad_call>& rows)
{
    std::vector<js::value> calls;
    js::array answers;
    for (const auto& row : rows) {
        calls.push_back(use(row.tool, row.input));
        js::object answer;
        answer["contains"] = js::array{js::value(row.said), js::value("Error:")};
        answer["is_error"] = true;
        answers.push_back(answer);
    }
    js::object more, expect;
    expect["tool_results"] = answers;
    more["expect"] = expect;
    return scenario({conversation("try", {step(calls), step({say("I see.")}, more)})});
}

void expect_told(const std::vector<bad_call>& rows)
{
    world w{{.scenario = scenario_of(rows)}};
    REQUIRE(::symlink("/etc", (w.workspace() + "/out").c_str()) == 0);
    REQUIRE(::symlink("..", (w.workspace() + "/up").c_str()) == 0);
    REQUIRE(::mkfifo((w.workspace() + "/fifo").c_str(), 0600) == 0);
    write_file(w.workspace() + "/f", "abc");
    const auto end = w.ended(w.submit("try all of it"));
    CHECK_MESSAGE(end.at("state").as_string() == "succeeded", js::serialize(end));
    w.check_model_content();
    CHECK(read_file(w.workspace() + "/f") == "abc");
    CHECK(read_file(w.folder() + "/evil").empty());
    CHECK(read_file("/tmp/agentd-evil").empty());
    CHECK(w.json(200, "GET", "/v1/jobs").at("items").as_array().empty());
}

} // namespace

TEST_CASE("bad tool input: commands and jobs")
{
    expect_told(bad_commands());
}

TEST_CASE("bad tool input: files, and paths that lead out of the workspace")
{
    expect_told(bad_files());
}
