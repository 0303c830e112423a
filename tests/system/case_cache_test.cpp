// Conformance cases about what the server can keep of a conversation, with the built agentd:
// requests that extend each other, and cache marks by which the next one is read from the cache.
#include "tests/system/wire.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <map>
#include <optional>
#include <set>

using namespace agentd::testing;

namespace {

namespace js = boost::json;

std::string id_of(int turn, int call)
{
    return "toolu_" + std::to_string(turn) + "_" + std::to_string(call);
}

const std::string reads = R"({"path":"a.txt", "limit":1})";

// Thought, text and a call, each with spellings that a careless echo would change.
answer mixed_turn(int turn)
{
    const auto number = std::to_string(turn);
    auto events = text_events(1, "turn " + number + " \u00e9/");
    events.insert(events.begin(),
        {block_start(0, R"({"type":"thinking","thinking":"","signature":""})"),
            block_delta(0, R"({"type":"thinking_delta","thinking":"\u00e9\/ )" + number + R"("})"),
            block_delta(0, R"({"type":"signature_delta","signature":"S\/)" + number + R"("})"),
            block_stop(0)});
    return says(stream_of_blocks({events, call_events(2, id_of(turn, 0), "read_file", reads)}));
}

// `calls` calls in one run, or each behind a text of its own.
answer many_calls(int turn, int calls, bool with_texts)
{
    std::vector<std::vector<std::string>> blocks;
    int index = 0;
    for (int i = 0; i < calls; ++i) {
        if (with_texts)
            blocks.push_back(text_events(index++, "next"));
        blocks.push_back(call_events(index++, id_of(turn, i), "read_file", reads));
    }
    return says(stream_of_blocks(blocks));
}

// --- a prompt cache with the documented rules (wire reference 1.9)

struct position {
    std::string prefix; // everything up to its end, marks aside
    bool marked = false;
};

struct laid_out {
    std::vector<position> positions;
    std::size_t marks = 0;
    bool marks_are_legal = true;
};

// The prompt in the order in which it is rendered; a run of calls or of results is one position.
class layout {
public:
    void add_all(const js::value& blocks, const std::string& role)
    {
        std::string before;
        for (const auto& block : blocks.as_array()) {
            const auto* type = block.as_object().if_contains("type");
            const std::string kind = type == nullptr ? "tool" : std::string{type->as_string()};
            add(block.as_object(), role + kind, kind == before && is_run(kind));
            before = kind;
        }
    }
    [[nodiscard]] laid_out take() { return std::move(out_); }

private:
    static bool is_run(const std::string& kind)
    {
        return kind == "tool_use" || kind == "tool_result";
    }

    void add(js::object block, const std::string& label, bool joins)
    {
        const bool marked = block.erase("cache_control") != 0;
        so_far_ += label + js::serialize(block);
        if (joins)
            out_.positions.back() = {so_far_, marked};
        else
            out_.positions.push_back({so_far_, marked});
        if (!marked)
            return;
        ++out_.marks;
        const bool empty_text = block.contains("text") && block.at("text").as_string().empty();
        if (empty_text || label.ends_with("thinking"))
            out_.marks_are_legal = false;
    }

    laid_out out_;
    std::string so_far_;
};

laid_out laid_out_request(const std::string& request)
{
    const auto body = js::parse(request.substr(request.find("\r\n\r\n") + 4));
    layout all;
    all.add_all(body.at("tools"), "tools:");
    all.add_all(body.at("system"), "system:");
    for (const auto& message : body.at("messages").as_array())
        all.add_all(message.at("content"), std::string{message.at("role").as_string()} + ":");
    return all.take();
}

class prompt_cache {
public:
    // How much of the prompt could be read; then all marked prefixes are written.
    std::size_t read_and_write(const laid_out& prompt)
    {
        constexpr std::size_t looks_back = 20;
        std::size_t longest = 0;
        const auto& all = prompt.positions;
        for (std::size_t at = 0; at < all.size(); ++at) {
            if (!all[at].marked)
                continue;
            for (std::size_t back = 0; back < looks_back && back <= at; ++back)
                if (written_.contains(all[at - back].prefix))
                    longest = std::max(longest, all[at - back].prefix.size());
        }
        for (const auto& one : all)
            if (one.marked)
                written_.insert(one.prefix);
        return longest;
    }

private:
    std::set<std::string> written_;
};

} // namespace

TEST_CASE("case 82 append_only: each of 20 requests begins with the bytes of the one before")
{
    std::vector<answer> answers;
    for (int turn = 0; turn < 10; ++turn)
        answers.push_back(mixed_turn(turn));
    answers.push_back(ends_with("first done"));
    for (int turn = 11; turn < 20; ++turn)
        answers.push_back(mixed_turn(turn));
    answers.push_back(ends_with("second done"));
    wired w{std::move(answers)};
    write_file(w.agent().workspace() + "/a.txt", "line\n");
    const auto first = w.run("go");
    // The rest comes out of the state, in another process.
    CHECK(w.agent().stop_daemon(SIGKILL) == 128 + SIGKILL);
    w.agent().start_daemon();
    CHECK(w.run_after(first, "more").at("result").as_string() == "second done");
    const auto bodies = w.bodies();
    REQUIRE(bodies.size() == 21);
    for (std::size_t i = 1; i < bodies.size(); ++i) {
        // All but the end of the messages and of the body.
        const auto before = bodies[i - 1].substr(0, bodies[i - 1].size() - 2);
        CHECK_MESSAGE(bodies[i].starts_with(before + R"(,{"role":"assistant","content":[)"), i);
    }
    CHECK(bodies.back().find(R"(\u00e9\/ 3","signature":"S\/3"})") != std::string::npos);
}

TEST_CASE("case 84 cache_breakpoints: a long loop reads all of the request before from the cache")
{
    std::vector<answer> answers;
    for (int turn = 0; turn < 12; ++turn) {
        if (turn % 3 == 0)
            answers.push_back(many_calls(turn, 8, false));
        else if (turn % 3 == 1)
            answers.push_back(many_calls(turn, 15, true)); // 31 positions behind the last mark
        else
            answers.push_back(mixed_turn(turn));
    }
    answers.push_back(ends_with("done"));
    answers.push_back(ends_with("again"));
    wired w{std::move(answers)};
    write_file(w.agent().workspace() + "/a.txt", "line\n");
    const auto task = w.run("go");
    CHECK(task.at("result").as_string() == "done");
    // Another task of the session, of another process, goes on with the same.
    CHECK(w.agent().stop_daemon(SIGTERM) == 0);
    w.agent().start_daemon();
    CHECK(w.run_after(task, "more").at("result").as_string() == "again");
    const auto requests = w.requests();
    REQUIRE(requests.size() == 14);
    prompt_cache cache;
    std::size_t before = 0;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        CAPTURE(i);
        const auto prompt = laid_out_request(requests[i]);
        CHECK(prompt.marks <= 4);
        CHECK(prompt.marks_are_legal);
        CHECK(prompt.positions.back().marked);
        CHECK(cache.read_and_write(prompt) == before);
        before = prompt.positions.back().prefix.size();
    }
}
