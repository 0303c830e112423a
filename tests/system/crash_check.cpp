#include "tests/system/crash_check.hpp"

#include "tests/system/evidence.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

namespace agentd::testing {
namespace {

std::string text_of(const js::object& object, std::string_view member)
{
    const auto* found = object.if_contains(member);
    return found != nullptr && found->is_string() ? std::string{found->as_string()} : std::string{};
}

// Everything that is there, read once.
struct found_state {
    std::map<std::string, js::object> tasks;
    std::map<std::string, std::vector<js::object>> jobs; // by session
    std::map<std::string, std::string> conversations;    // by session
    std::vector<js::object> events;
};

std::vector<js::object> all_pages(world& w, const std::string& target)
{
    std::vector<js::object> items;
    std::string after;
    do {
        const auto page = w.json(200, "GET", target + (after.empty() ? "" : "&after=" + after));
        for (const auto& item : page.at("items").as_array())
            items.push_back(item.as_object());
        after = page.at("next").is_null() ? "" : std::string{page.at("next").as_string()};
    } while (!after.empty());
    return items;
}

// When all have ended, a task behind each one that did not succeed: what could not be told yet is
// told in it.
void close_sessions(world& w, const promises& all)
{
    std::set<std::string> sessions;
    for (const auto& task : all.tasks)
        if (!task.id.empty() && state_of(w.ended(task.id)) != "succeeded")
            sessions.insert(task.session);
    std::vector<std::string> closing;
    for (const auto& session : sessions)
        closing.push_back(w.submit("closing", {{"session_id", session}}));
    for (const auto& task : closing)
        static_cast<void>(w.ended(task));
}

found_state read_state(world& w, const promises& all)
{
    found_state state;
    for (auto& task : all_pages(w, "/v1/tasks?limit=100"))
        state.tasks[text_of(task, "id")] = task;
    for (auto& job : all_pages(w, "/v1/jobs?limit=100"))
        state.jobs[text_of(job, "session_id")].push_back(job);
    std::set<std::string> sessions;
    for (const auto& task : all.tasks)
        sessions.insert(task.session);
    for (const auto& session : sessions)
        state.conversations[session] = conversation_of(w, session);
    state.events = w.events();
    return state;
}

void judge_tasks(const found_state& state, const promises& all, crash_verdict& to)
{
    std::set<std::string> promised;
    for (const auto& wish : all.tasks) {
        if (wish.id.empty()) {
            to.problems.push_back("never answered: " + wish.key);
            continue;
        }
        if (!promised.insert(wish.id).second)
            to.problems.push_back("two keys, one task: " + wish.id);
        const auto found = state.tasks.find(wish.id);
        if (found == state.tasks.end()) {
            to.problems.push_back("answered, but not there: " + wish.id);
            continue;
        }
        const auto& task = found->second;
        const auto is = state_of(task);
        const bool may_be_cancelled = task.at("cancel_requested").as_bool();
        if (all.cancelled.contains(wish.id) && is != "cancelled")
            to.problems.push_back("a cancel was forgotten: " + js::serialize(task));
        if (is != "succeeded" && !(is == "cancelled" && may_be_cancelled))
            to.problems.push_back("no good end: " + js::serialize(task));
        if (text_of(task, "prompt") != wish.prompt)
            to.problems.push_back("another prompt: " + js::serialize(task));
    }
    for (const auto& [id, task] : state.tasks)
        if (!promised.contains(id) && text_of(task, "prompt") != "closing")
            to.problems.push_back("nobody was answered that task: " + js::serialize(task));
    to.tasks = promised.size();
}

// How often each event came, by its type and what it is about.
std::map<std::string, int> count_kinds(const found_state& state)
{
    std::map<std::string, int> counts;
    for (const auto& event : state.events) {
        const auto type = text_of(event, "type");
        const auto about = type.starts_with("task.") ? "task_id" : "job_id";
        ++counts[type + " " + text_of(event, about)];
    }
    return counts;
}

void judge_events(const found_state& state, const promises& all, crash_verdict& to)
{
    std::int64_t before = 0;
    for (const auto& event : state.events) {
        const auto seq = event.at("seq").as_int64();
        if (seq != before + 1)
            to.problems.push_back("a gap before event " + js::serialize(event));
        before = seq;
        const auto read = all.read.find(seq);
        if (read != all.read.end() && js::parse(read->second) != js::value(event))
            to.problems.push_back("read as " + read->second + ", is " + js::serialize(event));
    }
    auto counts = count_kinds(state);
    for (const auto& [id, task] : state.tasks) {
        if (counts["task.submitted " + id] != 1 || counts["task.finished " + id] != 1 ||
            counts["task.started " + id] > 1)
            to.problems.push_back("a wrong number of task events: " + id);
    }
    to.events = state.events.size();
}

void judge_jobs(const found_state& state, crash_verdict& to)
{
    auto counts = count_kinds(state);
    for (const auto& [session, jobs] : state.jobs) {
        const auto conversation = state.conversations.find(session);
        for (const auto& job : jobs) {
            const auto id = text_of(job, "id");
            const auto told = conversation == state.conversations.end()
                ? 0
                : count_of(conversation->second, "[bg:" + id + "] ");
            const auto times = [&](const std::string& type) { return counts[type + " " + id]; };
            if (job.at("ended_at").is_null() || times("job.finished") != 1)
                to.problems.push_back("not ended once: " + js::serialize(job));
            if (times("notification.queued") != 1 || times("notification.delivered") != 1)
                to.problems.push_back("queued " + std::to_string(times("notification.queued")) +
                    ", delivered " + std::to_string(times("notification.delivered")) +
                    " times: " + js::serialize(job));
            if (told != 1)
                to.problems.push_back(
                    "in the history " + std::to_string(told) + " times: " + js::serialize(job));
            ++to.jobs;
            to.lost_jobs += state_of(job) == "lost" ? 1 : 0;
            to.notifications += told;
        }
    }
}

void judge_messages(const found_state& state, const promises& all, crash_verdict& to)
{
    for (const auto& message : all.messages) {
        if (!message.accepted)
            continue;
        const auto& task = state.tasks.at(message.task);
        const auto& conversation = state.conversations.at(text_of(task, "session_id"));
        const auto told = count_of(conversation, "\"" + message.text + "\"");
        // One to a task that was cancelled goes with it, if it had not been told by then.
        if (told != 1 && !(told == 0 && state_of(task) == "cancelled"))
            to.problems.push_back(
                "told " + std::to_string(told) + " times: " + message.key + " of " + message.task);
        ++to.messages;
    }
}

} // namespace

std::vector<std::string> processes_marked(const std::string& mark)
{
    std::vector<std::string> found;
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc", failed}) {
        const auto folder = entry.path().string();
        if (read_file(folder + "/environ").find("CRASH_MARK=" + mark) != std::string::npos)
            found.push_back(folder + " " + read_file(folder + "/cmdline"));
    }
    return found;
}

crash_verdict judge(world& w, promises& all)
{
    crash_verdict to;
    close_sessions(w, all);
    const auto state = read_state(w, all);
    to.problems = all.problems;
    to.kept_by_key = all.kept_by_key;
    judge_tasks(state, all, to);
    judge_events(state, all, to);
    judge_jobs(state, to);
    judge_messages(state, all, to);
    for (auto& fault : w.model_faults())
        to.problems.push_back("the model was sent nonsense: " + std::move(fault));
    return to;
}

} // namespace agentd::testing
