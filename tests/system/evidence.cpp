#include "tests/system/evidence.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

namespace agentd::testing {

shot::shot(world& w, std::string_view method, std::string_view target, std::string_view body)
    : method_(method), by_(w.connect())
{
    std::string text = method_ + " ";
    text.append(target).append(" HTTP/1.1\r\nHost: agentd\r\n");
    if (method_ == "POST")
        text.append("Content-Type: application/json\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n");
    text.append("\r\n").append(body);
    by_.send_raw(text);
}

std::string state_of(const js::object& task)
{
    return std::string{task.at("state").as_string()};
}

std::string session_of(world& w, const std::string& task)
{
    return std::string{w.task(task).at("session_id").as_string()};
}

std::size_t count_of(std::string_view text, std::string_view part)
{
    std::size_t count = 0;
    for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1))
        ++count;
    return count;
}

std::size_t count_events(
    const std::vector<js::object>& events, std::string_view type, const std::string& task)
{
    return static_cast<std::size_t>(std::ranges::count_if(events, [&](const js::object& event) {
        const auto* of = event.if_contains("task_id");
        return event.at("type").as_string() == type &&
            (task.empty() || (of != nullptr && of->as_string() == task));
    }));
}

std::vector<js::object> jobs_in(world& w, const std::string& session)
{
    std::vector<js::object> jobs;
    const auto page = w.json(200, "GET", "/v1/jobs?limit=100&session_id=" + session);
    REQUIRE(page.at("next").is_null());
    for (const auto& job : page.at("items").as_array())
        jobs.push_back(job.as_object());
    std::ranges::reverse(jobs);
    return jobs;
}

std::string conversation_of(world& w, const std::string& session)
{
    std::string all;
    std::string after;
    do {
        const auto page = w.json(200, "GET",
            "/v1/sessions/" + session + "/messages?limit=100" +
                (after.empty() ? "" : "&after=" + after));
        for (const auto& message : page.at("items").as_array())
            all += js::serialize(message) + "\n";
        after = page.at("next").is_null() ? "" : std::string{page.at("next").as_string()};
    } while (!after.empty());
    return all;
}

std::string told_wrong(world& w, const std::vector<std::string>& sessions)
{
    std::map<std::string, std::size_t> delivered;
    std::string wrong;
    for (const auto& event : w.events("&types=notification.delivered"))
        if (const auto* job = event.if_contains("job_id"))
            ++delivered[std::string{job->as_string()}];
    for (const auto& session : sessions) {
        const auto told = conversation_of(w, session);
        for (const auto& job : jobs_in(w, session)) {
            const std::string id{job.at("id").as_string()};
            const auto entries = count_of(told, "[bg:" + id + "] ");
            if (job.at("ended_at").is_null() || entries != 1 || delivered[id] != 1)
                wrong += std::to_string(entries) + " entries, " + std::to_string(delivered[id]) +
                    " deliveries of " + js::serialize(job) + " in " + told + "\n";
        }
    }
    return wrong;
}

void check_told_once(world& w, const std::vector<std::string>& sessions)
{
    CHECK(told_wrong(w, sessions) == "");
}

void check_gapless(world& w)
{
    std::int64_t before = 0;
    for (const auto& event : w.events()) {
        const auto seq = event.at("seq").as_int64();
        CHECK(seq == before + 1);
        before = seq;
    }
}

void check_ends(world& w, const std::vector<std::string>& tasks)
{
    struct seen {
        int started = 0, finished = 0;
        std::string last;
    };
    std::map<std::string, seen> all;
    for (const auto& event : w.events()) {
        const auto* task = event.if_contains("task_id");
        const std::string type{event.at("type").as_string()};
        if (task == nullptr)
            continue;
        auto& one = all[std::string{task->as_string()}];
        one.started += type == "task.started" ? 1 : 0;
        one.finished += type == "task.finished" ? 1 : 0;
        if (type.starts_with("task.") || type.starts_with("turn."))
            one.last = type;
    }
    for (const auto& task : tasks) {
        CHECK(all[task].started <= 1);
        CHECK(all[task].finished == 1);
        CHECK(all[task].last == "task.finished");
    }
}

js::value interrupted(std::string_view prompt, std::vector<js::value> steps)
{
    js::object more;
    more["strict_append"] = "extendable";
    more["then"] = "repeat_last";
    return conversation(prompt, std::move(steps), std::move(more));
}

} // namespace agentd::testing
