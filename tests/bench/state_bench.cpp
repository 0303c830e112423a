// What a large state costs: its size for each task, the daemon's start until READY with it, and
// how many synced submits a second pass then. `state_bench [TASKS [EVENTS]]`, 2000 and 200000
// by default; the figure that DESIGN wants is `state_bench 100000 10000000` (by hand).
// The state is made by the store's own functions; the rest is the built daemon.
#define DOCTEST_CONFIG_IMPLEMENT
#include "tests/daemon/store/fixture.hpp"
#include "tests/support/harness/world.hpp"
#include "tests/system/scenario.hpp"

#include <fmt/format.h>

#include <charconv>
#include <csignal>
#include <thread>

namespace {

using namespace agentd::testing;
using agentd::proto::api::task_state;
using clock_type = std::chrono::steady_clock;
namespace store = agentd::store;

std::int64_t tasks = 2000;
std::int64_t events = 200'000;

double seconds_since(clock_type::time_point start)
{
    return std::chrono::duration<double>(clock_type::now() - start).count();
}

// An ended task in a session of its own, as a short conversation with one tool call leaves it.
void add_task(store::connection& db, std::int64_t number, std::int64_t events_each)
{
    const auto session = fmt::format("s_{:010}", number);
    const auto task = fmt::format("t_{:010}", number);
    const auto now = agentd::base::wall_now();
    auto place = session_row(session);
    place.shown.created_at = place.shown.updated_at = now;
    auto row = task_row(task, session);
    row.shown.created_at = now;
    static_cast<void>(store::sessions::insert(db, place));
    static_cast<void>(store::tasks::insert(db, row));
    static_cast<void>(store::tasks::start(db, row.shown.id, now));
    for (const char* role : {"user", "assistant", "user", "assistant"}) {
        store::messages::row message;
        message.shown.role = role;
        message.shown.task_id = row.shown.id;
        message.shown.content = R"([{"type":"text","text":")" + std::string(300, 'x') + "\"}]";
        static_cast<void>(store::messages::append(db, place.shown.id, message));
    }
    for (std::int64_t i = 0; i < events_each; ++i) {
        auto one = event(i == 0 ? "task.submitted" : "tool.finished", session, task);
        one.time = now;
        one.body = R"({"tool_use_id":"toolu_01AbCdEfGhIjKlMn","name":"bash","is_error":false})";
        db.append_event(std::move(one));
    }
    static_cast<void>(
        store::tasks::finish(db, row.shown.id, task_state::succeeded, std::nullopt, now));
}

void make_state(const std::string& folder)
{
    test_store db{folder};
    const auto each = std::max<std::int64_t>(1, events / tasks);
    const auto batch = std::max<std::int64_t>(1, 50'000 / each);
    for (std::int64_t done = 0; done < tasks; done += batch)
        REQUIRE(db.write([=](store::connection& c) {
            for (auto i = done; i < std::min(done + batch, tasks); ++i)
                add_task(c, i, each);
        }));
}

void submit_many(world& w, int count)
{
    auto to = w.connect();
    const auto body = js::serialize(js::value{{"prompt", "work"}, {"workdir", w.workspace()}});
    for (int i = 0; i < count; ++i)
        if (to.call("POST", "/v1/tasks", body).status != 202)
            return;
}

} // namespace

TEST_CASE("state: a large one is opened at once, and takes submits")
{
    js::object held;
    held["reply"] = {{"hold", "ever"}};
    world w{{.scenario = scenario({conversation("work", {step({say("Never.")}, held)})}),
        .config = "[limits]\nrunning_tasks = 1\nqueued_tasks = 1000000\n",
        .start = false}};
    auto start = clock_type::now();
    make_state(w.state_folder());
    const auto made = seconds_since(start);
    const auto size =
        static_cast<double>(std::filesystem::file_size(w.state_folder() + "/agentd.db"));
    fmt::print("{} tasks, {} events: made in {:.1f} s; {:.1f} MiB, {:.0f} bytes a task\n", tasks,
        events, made, size / (1 << 20), size / static_cast<double>(tasks));
    for (const int signal : {SIGTERM, SIGKILL, SIGTERM}) {
        start = clock_type::now();
        w.start_daemon();
        fmt::print("start to READY: {:.0f} ms\n", seconds_since(start) * 1000);
        if (signal == SIGKILL) {
            constexpr int clients = 64;
            constexpr int each = 30;
            start = clock_type::now();
            std::vector<std::thread> all;
            for (int i = 0; i < clients; ++i)
                all.emplace_back([&w] { submit_many(w, each); });
            for (auto& one : all)
                one.join();
            fmt::print("synced submits, {} clients: {:.0f} a second\n", clients,
                clients * each / seconds_since(start));
        }
        static_cast<void>(w.stop_daemon(signal));
    }
}

int main(int argc, char** argv)
{
    for (int i = 1; i < argc && i < 3; ++i) {
        const std::string_view text{argv[i]};
        auto& number = i == 1 ? tasks : events;
        const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (failed != std::errc{} || number <= 0) {
            fmt::print(stderr, "state_bench: {} is no number\n", text);
            return 2;
        }
    }
    return doctest::Context{argc, argv}.run();
}
