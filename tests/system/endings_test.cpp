// How commands end, as a table: what they leave behind x what ends them x as a job and as a
// `bash` call x with control groups and without. Of each: what is told is right, and when it is
// told nothing is left, which the observer judges (observer.hpp). In the suite `timed`, which
// runs alone, each takes no longer than the grace, where it needs that, and 500 ms.
#include "tests/support/harness/world.hpp"
#include "tests/system/observer.hpp"
#include "tests/system/scenario.hpp"

#include <boost/json/serialize.hpp>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

using namespace agentd::testing;
using namespace std::chrono_literals;

namespace {

using std::chrono::milliseconds;
using clock_type = std::chrono::steady_clock;

constexpr auto grace = 1000ms; // as configured below
constexpr auto beyond = 500ms;
constexpr const char* config = "grace_s = 1\n";

struct tree {
    const char* name;
    const char* text; // starts what lives beside the shell
    bool ignores_term = false;
    bool one = false;                   // it leaves exactly one process
    const char* stays = "sleep 300; :"; // what the shell does where it does not exit
};

// A stopped process is waited for: it is known to be stopped when the command goes on.
#define UNTIL_STOPPED "until grep -q 'State:.T' /proc/$!/status; do :; done"

const tree trees[] = {
    {.name = "a child", .text = "sleep 300 &", .one = true},
    {.name = "a session of its own that holds the pipe",
        .text = "setsid sleep 300 >&1 &",
        .one = true},
    {.name = "a double fork", .text = "(setsid sh -c 'sleep 300 & sleep 300; :' &)"},
    {.name = "a tree that ignores TERM",
        .text = "trap '' TERM; sleep 300 & setsid sh -c 'sleep 300 & sleep 300; :' &",
        .ignores_term = true},
    {.name = "a stopped tree",
        .text = "setsid sh -c 'sleep 300 & kill -STOP $! $$' & " UNTIL_STOPPED},
    {.name = "a stopped shell",
        .text = "sleep 300 & kill -STOP $!; " UNTIL_STOPPED,
        .one = true,
        .stays = "kill -STOP $$; sleep 300; :"},
    {.name = "a cleared environment",
        .text = "(env -i setsid sleep 300 </dev/null >/dev/null 2>&1 &)",
        .one = true},
    {.name = "a cleared environment, TERM ignored, stopped, the pipe held",
        .text = "trap '' TERM; (env -i setsid sh -c 'sleep 300 & sleep 300 & kill -STOP $! $$' &)",
        .ignores_term = true},
};

enum class place { job, bash };
enum class ending { by_itself, stopped, with_its_task, timed_out };

// One cell of the table but for the means.
struct ended_command {
    const tree& what;
    place where;
    ending how;
    std::size_t number;

    [[nodiscard]] std::string prompt() const { return fmt::format("case{}.", number); }
    [[nodiscard]] std::string name() const
    {
        const char* const ways[] = {"by itself", "stopped", "with its task", "timed out"};
        return fmt::format("{} {}: {}", where == place::job ? "job" : "bash",
            ways[static_cast<int>(how)], what.name);
    }
    // The command tells that its processes are there by a file in the workspace.
    [[nodiscard]] std::string sign() const { return fmt::format("up{}", number); }
    [[nodiscard]] std::string command() const
    {
        return fmt::format("{}\necho hi; : >{}; {}", what.text, sign(),
            how == ending::by_itself ? "exit 3" : what.stays);
    }
    [[nodiscard]] js::value call() const
    {
        js::object input{{"command", command()}};
        if (how == ending::timed_out)
            input["timeout_s"] = 1;
        return use(where == place::job ? "background_run" : "bash", std::move(input));
    }
    [[nodiscard]] milliseconds longest() const
    {
        return (what.ignores_term ? grace : 0ms) + beyond;
    }
};

std::vector<ended_command> each_tree(place where, ending how)
{
    std::vector<ended_command> all;
    for (const auto& one : trees)
        all.push_back({one, where, how, all.size()});
    return all;
}

js::value repeated(std::string_view prompt, std::vector<js::value> steps)
{
    js::object more;
    more["then"] = "repeat_last";
    return conversation(prompt, std::move(steps), std::move(more));
}

js::object held(const std::string& name)
{
    js::object more;
    more["reply"] = js::object{{"hold", name}};
    return more;
}

bool times_count()
{
    return std::getenv("AGENTD_TEST_TIMED") != nullptr; // NOLINT: tests set no environment
}

void check_time(clock_type::time_point began, milliseconds longest)
{
    const auto took = std::chrono::duration_cast<milliseconds>(clock_type::now() - began);
    if (times_count())
        CHECK_MESSAGE(
            took <= longest, took.count() << " ms, not " << longest.count() << " at the most");
}

void check_nobody_left(const census& before)
{
    const auto rest = difference(before, everybody());
    CHECK_MESSAGE(rest.empty(), rest);
}

void await_file(world& w, const std::string& name)
{
    const auto path = w.workspace() + "/" + name;
    const auto until = clock_type::now() + patience();
    while (!std::filesystem::exists(path) && clock_type::now() < until)
        CHECK(w.call("GET", "/v1/health").status == 200);
    REQUIRE(std::filesystem::remove(path));
}

js::object only_job(world& w, const std::string& task)
{
    const auto page = w.json(200, "GET", "/v1/jobs?task_id=" + task);
    REQUIRE(page.at("items").as_array().size() == 1);
    return page.at("items").as_array().front().as_object();
}

void check_job(const js::object& job, std::string_view state, std::string_view by)
{
    const auto shown = js::serialize(job);
    CHECK_MESSAGE(job.at("state").as_string() == state, shown);
    const auto& who = job.at("by");
    CHECK_MESSAGE((who.is_string() ? std::string_view{who.as_string()} : "") == by, shown);
    CHECK_MESSAGE(job.at("output_bytes").as_int64() == 3, shown);
}

// What the model was told last in this conversation.
std::string told(world& w, const ended_command& one)
{
    return last_user_text(w.requests(one.prompt()).back());
}

void check_has(const std::string& text, std::string_view part)
{
    CHECK_MESSAGE(text.find(part) != text.npos, text << "\nlacks: " << part);
}

using run = std::function<void(world&, const ended_command&)>;

// Each tree, one after the other.
void one_by_one(place where, ending how,
    const std::function<std::vector<js::value>(const ended_command&)>& steps, const run& test)
{
    inside([&] {
        const auto table = each_tree(where, how);
        std::vector<js::value> conversations;
        for (const auto& one : table)
            conversations.push_back(repeated(one.prompt(), steps(one)));
        with_each_means(scenario(conversations), config, [&](world& w, const census& before) {
            for (const auto& one : table) {
                CAPTURE(one.name());
                test(w, one);
                check_nobody_left(before);
            }
        });
    });
}

// All trees at once, in one task.
void all_at_once(place where, const std::function<void(world&, const js::object&)>& test)
{
    inside([&] {
        const auto table = each_tree(where, ending::timed_out);
        std::vector<js::value> calls;
        for (const auto& one : table)
            calls.push_back(one.call());
        const auto scene = scenario({repeated("case0.", {step(calls), step({say("Done.")})})});
        with_each_means(scene, config, [&](world& w, const census& before) {
            const auto began = clock_type::now();
            const auto task = w.ended(w.submit("case0."));
            check_time(began, 1000ms + grace + beyond);
            check_nobody_left(before);
            CHECK(task.at("state").as_string() == "succeeded");
            test(w, task);
        });
    });
}

std::vector<js::value> call_and_done(const ended_command& one)
{
    return {step({one.call()}), step({say("Done.")})};
}

} // namespace

TEST_CASE("endings: a job's shell exits, and what it left is stopped before its end is told")
{
    one_by_one(
        place::job, ending::by_itself, call_and_done, [](world& w, const ended_command& one) {
            const auto began = clock_type::now();
            const auto task = w.submit(one.prompt());
            CHECK(w.ended(task).at("state").as_string() == "succeeded");
            check_time(began, one.longest());
            const auto job = only_job(w, task);
            check_job(job, "completed", "");
            CHECK(job.at("exit_code").as_int64() == 3);
            const std::string id{job.at("id").as_string()};
            check_has(told(w, one), "[bg:" + id + "] completed: exit 3 after ");
            check_has(told(w, one), "| hi\n");
        });
}

TEST_CASE("endings: a bash call's shell exits, and what it left is stopped before its result")
{
    one_by_one(
        place::bash, ending::by_itself, call_and_done, [](world& w, const ended_command& one) {
            const auto began = clock_type::now();
            CHECK(w.ended(w.submit(one.prompt())).at("state").as_string() == "succeeded");
            check_time(began, one.longest());
            check_has(told(w, one), one.what.one ? "hi\n[1 process left" : "hi\n[");
            check_has(told(w, one), "left running by it w");
            check_has(told(w, one), "use background_run for what should go on]\n[exit 3]");
        });
}

TEST_CASE("endings: stop_background answers when the whole tree is gone")
{
    const auto steps = [](const ended_command& one) {
        js::object second = held(one.prompt());
        second["capture"] = js::object{{"id", "Background task ([0-9a-f]{8})"}};
        return std::vector<js::value>{step({one.call()}),
            step({use("stop_background", {{"task_id", "${id}"}})}, std::move(second)),
            step({say("Done.")})};
    };
    one_by_one(place::job, ending::stopped, steps, [](world& w, const ended_command& one) {
        const auto task = w.submit(one.prompt());
        await_file(w, one.sign());
        const auto began = clock_type::now();
        w.release(one.prompt());
        CHECK(w.ended(task).at("state").as_string() == "succeeded");
        check_time(began, one.longest());
        const auto job = only_job(w, task);
        check_job(job, "killed", "model");
        const std::string id{job.at("id").as_string()};
        check_has(told(w, one), "Background task " + id + " stopped");
        check_has(told(w, one), "[bg:" + id + "] killed by model after ");
        check_has(told(w, one), "| hi\n");
    });
}

TEST_CASE("endings: a task that kills its jobs at its end has ended when their trees are gone")
{
    const auto steps = [](const ended_command& one) {
        return std::vector<js::value>{step({one.call()}), step({say("Done.")}, held(one.prompt()))};
    };
    one_by_one(place::job, ending::with_its_task, steps, [](world& w, const ended_command& one) {
        const auto task = w.submit(one.prompt(), {{"jobs_at_end", "kill"}});
        await_file(w, one.sign());
        const auto began = clock_type::now();
        w.release(one.prompt());
        CHECK(w.ended(task).at("state").as_string() == "succeeded");
        check_time(began, one.longest());
        check_job(only_job(w, task), "killed", "task_end");
    });
}

TEST_CASE("endings: a cancelled task has ended when the tree of its bash call is gone")
{
    one_by_one(
        place::bash, ending::with_its_task, call_and_done, [](world& w, const ended_command& one) {
            const auto task = w.submit(one.prompt());
            await_file(w, one.sign());
            const auto began = clock_type::now();
            CHECK(w.call("POST", "/v1/tasks/" + task + "/cancel").status == 202);
            CHECK(w.ended(task).at("state").as_string() == "cancelled");
            check_time(began, one.longest());
        });
}

TEST_CASE("endings: jobs whose time is over")
{
    all_at_once(place::job, [](world& w, const js::object& task) {
        const std::string id{task.at("id").as_string()};
        const auto page = w.json(200, "GET", "/v1/jobs?task_id=" + id).at("items").as_array();
        CHECK(page.size() == std::size(trees));
        std::string all;
        for (const auto& request : w.requests())
            all += last_user_text(request);
        for (const auto& job : page) {
            check_job(job.as_object(), "timeout", "");
            check_has(all, fmt::format("[bg:{}] timeout after ", job.at("id").as_string().c_str()));
        }
    });
}

TEST_CASE("endings: bash calls whose time is over")
{
    all_at_once(place::bash, [](world& w, const js::object&) {
        const auto request = w.requests().back();
        const auto& messages = request.at("body").at("messages").as_array();
        const auto& results = messages.back().at("content").as_array();
        CHECK(results.size() == std::size(trees));
        for (const auto& one : results) {
            CHECK(one.at("is_error").as_bool());
            const auto text = js::serialize(one.at("content"));
            check_has(text, "Timeout (1s)\\nhi");
        }
    });
}
