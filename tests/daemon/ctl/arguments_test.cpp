#include "ctl/arguments.hpp"

#include <doctest/doctest.h>

using namespace agentd::ctl;

namespace {

std::expected<invocation, early_end> parse(std::vector<std::string> words)
{
    std::vector<const char*> argv{"agentctl"};
    for (const auto& word : words)
        argv.push_back(word.c_str());
    return parse_arguments(static_cast<int>(argv.size()), argv.data());
}

} // namespace

TEST_CASE("arguments: what is wrong is a usage error, exit code 2")
{
    const std::vector<std::vector<std::string>> wrong{
        {},
        {"nonsense"},
        {"submit"},
        {"show"},
        {"show", "a", "b"},
        {"--what", "ls"},
        {"submit", "x", "--label", "novalue"},
        {"submit", "x", "--env", "=v"},
        {"submit", "x", "--max-turns", "many"},
        {"submit", "x", "--jobs-at-end", "later"},
        {"submit", "x", "--session", "s", "--workdir", "/w"},
        {"submit", "x", "--fresh", "--workdir", "/w"},
        {"submit", "x", "--budget-usd", "lots"},
        {"wait"},
        {"wait", "t_a", "--timeout", "-1"},
        {"output", "j", "--offset", "-3"},
        {"output", "j", "--offset", "3", "--tail-lines", "2"},
        {"send", "t_a"},
        {"cancel"},
        {"kill"},
        {"rm"},
        {"ls", "--limit", "x"},
        {"info", "extra"},
    };
    for (const auto& words : wrong) {
        CAPTURE(words.size());
        const auto read = parse(words);
        REQUIRE(!read);
        CHECK(read.error().exit_code == 2);
        CHECK(!read.error().text.empty());
    }
}

TEST_CASE("arguments: help and the version are no errors")
{
    for (const auto& words : std::vector<std::vector<std::string>>{
             {"--help"}, {"--version"}, {"submit", "--help"}, {"output", "-h"}}) {
        const auto read = parse(words);
        REQUIRE(!read);
        CHECK(read.error().exit_code == 0);
    }
}

TEST_CASE("arguments: every field of a submit has a flag")
{
    const auto read = parse({"--json", "submit", "do it", "--workdir", "/w", "--system", "be brief",
        "--model", "m", "--env", "A=1", "--env", "B=x=y", "--max-turns", "3", "--timeout", "60",
        "--budget-usd", "0.5", "--max-tokens-total", "1000", "--jobs-at-end", "kill", "--priority",
        "-5", "--label", "team=a", "--idempotency-key", "k"});
    REQUIRE_MESSAGE(read, (read ? "" : read.error().text));
    CHECK(read->json);
    const auto& task = std::get<submit_verb>(read->what).task;
    CHECK(task.prompt == "do it");
    CHECK(task.workdir == "/w");
    CHECK(task.system == "be brief");
    CHECK(task.model == "m");
    CHECK(task.env == std::vector<std::pair<std::string, std::string>>{{"A", "1"}, {"B", "x=y"}});
    CHECK(task.max_turns == 3);
    CHECK(task.timeout_s == 60);
    CHECK(task.budget_usd == 0.5);
    CHECK(task.max_tokens_total == 1000);
    CHECK(task.jobs_at_end == "kill");
    CHECK(task.priority == -5);
    CHECK(task.labels.size() == 1);
    CHECK(task.idempotency_key == "k");
}

TEST_CASE("arguments: a flag that may be given many times does not swallow the prompt")
{
    const auto read = parse({"submit", "--label", "a=b", "do it"});
    REQUIRE(read);
    CHECK(std::get<submit_verb>(read->what).task.prompt == "do it");
}

TEST_CASE("arguments: global options stand before or behind the verb")
{
    for (const auto& words : std::vector<std::vector<std::string>>{
             {"--socket", "/s", "--json", "ls"}, {"ls", "--json", "--socket", "/s"}}) {
        const auto read = parse(words);
        REQUIRE(read);
        CHECK(read->socket == "/s");
        CHECK(read->json);
        CHECK(std::holds_alternative<ls_verb>(read->what));
    }
}

TEST_CASE("arguments: lists take commas and repetition")
{
    const auto read = parse({"jobs", "--state", "running,queued", "--state", "lost", "-n", "7"});
    REQUIRE(read);
    const auto& jobs = std::get<jobs_verb>(read->what);
    CHECK(jobs.states == std::vector<std::string>{"running", "queued", "lost"});
    CHECK(jobs.limit == 7);
}
