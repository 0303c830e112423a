// Sessions out and in as JSON Lines: what comes back is what went out, goes on with a new task,
// and what is no export leaves nothing behind.
#include "base/import_limits.hpp"
#include "tests/system/surface.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>

using namespace agentd::testing;

namespace {

std::vector<std::string> export_lines_of(const std::string& text)
{
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size());
        lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

std::string joined(const std::vector<std::string>& lines)
{
    std::string text;
    for (const auto& line : lines)
        text += line + "\n";
    return text;
}

std::string edited(std::string text, std::string_view what, std::string_view by)
{
    const auto at = text.find(what);
    REQUIRE_MESSAGE(at != std::string::npos, what << " is not in " << text);
    return text.replace(at, what.size(), by);
}

// Beside the daemon's HOME; a job waits for it.
std::string gate_of(world& w)
{
    return w.state_folder() + "/../go";
}

// One with a call, a job whose end is told after the second reply, and its results behind it.
std::string worked_session(world& w)
{
    std::filesystem::remove(gate_of(w));
    const auto task = w.submit("work to take along");
    w.await_event("task.waiting", task);
    write_file(gate_of(w), "");
    return std::string{w.ended(task).at("session_id").as_string()};
}

std::string exported(world& w, const std::string& session)
{
    const auto reply = w.call("GET", "/v1/sessions/" + session + "/export");
    CHECK(reply.status == 200);
    return reply.body;
}

std::string all_ways()
{
    return scenario(
        {conversation("work to take along",
             {step({say("First."), use("bash", {{"command", "echo 'a\nb'"}}),
                  background(
                      "while [ ! -e ${HOME%/*}/go ]; do sleep 0.01; done; echo from a job")}),
                 step({say("I wait.")}), step({say("All done.")}),
                 step({say("And here it goes on.")}, expects({"go on with it"})),
                 step({say("And again.")})}),
            conversation("work that was cut off",
                {step({say("Gone on.")}, expects({"was cut off and may have had effects"}))})},
        hello_to_all());
}

} // namespace

TEST_CASE("export: what is imported is exported the same, and goes on with a new task")
{
    world w{{.scenario = all_ways()}};
    const auto session = worked_session(w);
    const auto first = exported(w, session);
    CHECK(first.starts_with(R"({"record":"session","version":2,"session":{"id":")" + session));

    // The id is taken: a copy gets another.
    const auto copied = w.call("POST", "/v1/sessions/import", first);
    REQUIRE_MESSAGE(copied.status == 201, copied.body);
    const auto copy = std::string{js::parse(copied.body).at("id").as_string()};
    CHECK(copy != session);
    CHECK(edited(exported(w, copy), copy, session) == first);

    // Where it was never used, it is kept: byte for byte the same.
    CHECK(w.stop_daemon(SIGTERM) == 0);
    std::filesystem::remove_all(w.state_folder());
    w.start_daemon();
    write_file(w.folder() + "/export", first);
    const auto imported = w.ctl({"import", w.folder() + "/export"});
    CHECK_MESSAGE(imported.code == 0, imported.err);
    CHECK(imported.out == session + "\n");
    CHECK(w.ctl({"export", session}).out == first);

    const auto task = w.ctl({"run", "-q", "--session", session, "go on with it"});
    CHECK_MESSAGE(task.code == 0, task.err);
    CHECK(task.out == "And here it goes on.\n");
    w.check_model_content();
    CHECK(export_lines_of(exported(w, session)).size() == export_lines_of(first).size() + 2);
}

TEST_CASE("import: calls without results get them, in a fresh folder if that is asked for")
{
    world w{{.scenario = all_ways()}};
    auto lines = export_lines_of(exported(w, worked_session(w)));
    // Until right behind the first reply, as if the export was made while its calls ran.
    lines.erase(lines.begin() + 4, lines.end() - 1);
    lines[2] = edited(lines[2], "work to take along", "work that was cut off");
    lines.front() = edited(lines.front(), "\"messages\":6", "\"messages\":2");
    lines.back() = edited(lines.back(), "\"messages\":6", "\"messages\":2");
    const auto made = w.call("POST", "/v1/sessions/import?fresh=1", joined(lines));
    REQUIRE_MESSAGE(made.status == 201, made.body);
    const auto session = js::parse(made.body).as_object();
    const auto id = std::string{session.at("id").as_string()};
    CHECK(session.at("workdir").as_string() == w.state_folder() + "/workspaces/" + id);
    CHECK(session.at("messages").as_int64() == 3);
    const auto task = w.submit("go on", {{"session_id", id}});
    CHECK(w.ended(task).at("state").as_string() == "succeeded");
    w.check_model_content();
    CHECK(exported(w, id).find("was cut off and may have had effects") != std::string::npos);
}

TEST_CASE("import: what is no whole export is refused by line and field, and leaves nothing")
{
    world w{{.scenario = all_ways()}};
    const auto good = export_lines_of(exported(w, worked_session(w)));
    REQUIRE(good.size() == 9); // session, epoch, 6 messages, end
    struct change {
        std::size_t line; // from 1; 0: beyond the last
        std::string_view what, by;
        std::string_view field; // "": the line as a whole
        int status = 422;
    };
    const std::vector<change> changes{
        {1, "\"version\":2", "\"version\":3", "version"},
        {1, "\"epoch\":1", "\"epoch\":0", "session.epoch"},
        {1, "\"id\":\"s_", "\"id\":\"t_", "session.id"},
        {1, "\"state\":", "\"more\":1,\"state\":", "session.more"},
        {2, "\"number\":1", "\"number\":2", "epoch.number"},
        {2, "\"tools\":[", "\"tools\":5,\"x\":[", "epoch.x"},
        {3, "\"seq\":1", "\"seq\":2", "message.seq"},
        {3, "\"role\":\"user\"", "\"role\":\"assistant\"", "message.role"},
        {3, "\"role\":\"user\"", "\"role\":\"system\"", "message.role"},
        {3, "\"type\":\"text\"", "\"type\":\"image\"", "message.content"},
        {4, "\"type\":\"tool_use\"", "\"type\":\"tool_used\"", "message.content"},
        {5, "\"tool_use_id\":\"", "\"tool_use_id\":\"x", "message.content"},
        {6, "\"epoch\":1", "\"epoch\":2", "message.epoch"},
        {9, "\"messages\":6", "\"messages\":7", "messages"},
        {9, "\"record\":\"end\"", "\"record\":\"fin\"", "record"},
        {7, "{\"record\"", "{record", "", 400},
    };
    const auto before = w.json(200, "GET", "/v1/sessions").at("items").as_array().size();
    for (const auto& [line, what, by, field, status] : changes) {
        CAPTURE(line);
        CAPTURE(by);
        auto bad = good;
        bad[line - 1] = edited(bad[line - 1], what, by);
        const auto reply = w.call("POST", "/v1/sessions/import", joined(bad));
        CHECK_MESSAGE(reply.status == status, reply.body);
        CHECK_MESSAGE(field_of(reply) == field, reply.body);
        // A block of another kind is found where its results come.
        const auto told = by == "\"type\":\"tool_used\"" ? line + 1 : line;
        CHECK_MESSAGE(reply.body.find("line " + std::to_string(told) + ": ") != std::string::npos,
            reply.body);
    }
    auto cut = good;
    cut.pop_back();
    const auto reply = w.call("POST", "/v1/sessions/import", joined(cut));
    CHECK(field_of(reply) == "record");
    auto missing = good;
    missing.erase(missing.begin() + 4);
    CHECK(field_of(w.call("POST", "/v1/sessions/import", joined(missing))) == "message.seq");
    CHECK(field_of(w.call("POST", "/v1/sessions/import?workdir=/no/such", joined(good))) ==
        "workdir");
    const auto none = w.ctl({"import", "/dev/null"});
    CHECK(none.code == 2);
    CHECK(none.err.find("the last line is missing") != std::string::npos);
    CHECK(w.json(200, "GET", "/v1/sessions").at("items").as_array().size() == before);
}

TEST_CASE("import: a line beyond its bound is 413")
{
    world w{{.scenario = all_ways()}};
    const std::string line(agentd::limits::import_line_bytes + 1, 'x');
    const auto refused = w.call("POST", "/v1/sessions/import", line);
    CHECK(refused.status == 413);
    CHECK(problem_of(refused) == "too_large");
}
