// The three things that users of the teaching program try first, with real time. Run alone
// and in the release build only.
#include "tests/support/harness/paths.hpp"
#include "tests/support/harness/world.hpp"
#include "tests/system/scenario.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace agentd::testing;

namespace {

double seconds_of(world& w, const std::string& prompt)
{
    const auto began = std::chrono::steady_clock::now();
    const auto end = w.ended(w.submit(prompt));
    CHECK_MESSAGE(end.at("state").as_string() == "succeeded", js::serialize(end));
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

} // namespace

TEST_CASE(
    "teaching: sleep 5 && echo done in the background, a file written meanwhile, in about 5 s")
{
    world w{{.scenario = scenario({conversation("background",
                 {step({background("sleep 5 && echo done"),
                      use("write_file", {{"path", "meanwhile.txt"}, {"content", "written"}})}),
                     step({say("The file is there, the command still runs.")},
                         expects({"Wrote 7 bytes"})),
                     step({say("Both are done.")}, expects({"completed: exit 0", "| done"}))})})}};
    const auto seconds = seconds_of(w, "in the background");
    CHECK(seconds >= 5);
    CHECK(seconds < 6);
    CHECK(read_file(w.workspace() + "/meanwhile.txt") == "written");
    w.check_model_content();
}

TEST_CASE("teaching: sleep 2, sleep 4, sleep 6 at once and their status, in about 6 s")
{
    world w{
        {.scenario = scenario({conversation("three",
             {step({background("sleep 2; echo two"), background("sleep 4; echo four"),
                  background("sleep 6; echo six")}),
                 step({use("check_background", {})}, expects({"Background task"})),
                 step({say("All three run.")}, expects({"running"})),
                 step({say("One.")}, expects({"| two"})), step({say("Two.")}, expects({"| four"})),
                 step({say("Three.")}, expects({"| six"}))})})}};
    const auto seconds = seconds_of(w, "three sleeps");
    CHECK(seconds >= 6);
    CHECK(seconds < 8);
    w.check_model_content();
}

TEST_CASE("teaching: a test suite runs in the background while files are read and edited")
{
    const std::string suite = std::string{unit_test_path} + " --no-colors=true";
    world w{{.scenario = scenario({conversation("suite",
                 {step({background(suite),
                      use("write_file", {{"path", "a.txt"}, {"content", "one two"}})}),
                     step({use("edit_file",
                               {{"path", "a.txt"}, {"old_text", "two"}, {"new_text", "three"}}),
                         use("read_file", {{"path", "a.txt"}})}),
                     step({say("Edited.")}, expects({"Edited a.txt", "one three"})),
                     step({say("The suite passes.")},
                         {{"expect", {{"history_once", "completed: exit 0"}}}})},
                 {{"then", "repeat_last"}})})}};
    static_cast<void>(seconds_of(w, "suite"));
    const auto page = w.json(200, "GET", "/v1/jobs");
    CHECK(page.at("items").at(0).at("exit_code").as_int64() == 0);
    const auto output = w.call(
        "GET", "/v1/jobs/" + std::string{page.at("items").at(0).at("id").as_string()} + "/output");
    CHECK(output.body.find("Status: SUCCESS!") != std::string::npos);
}
