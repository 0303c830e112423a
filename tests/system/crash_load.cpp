#include "tests/system/crash_load.hpp"

#include "tests/system/tolerant_client.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <chrono>

namespace agentd::testing {
namespace {

namespace js = boost::json;

constexpr int callers = 3;
constexpr int readers = 2;

void pause_shortly()
{
    pass_time(std::chrono::milliseconds{1}); // the daemon is away
}

std::string key_header(const std::string& key)
{
    return "Idempotency-Key: " + key + "\r\n";
}

std::uint64_t up_to(std::mt19937_64& roll, std::uint64_t most)
{
    return std::uniform_int_distribution<std::uint64_t>{0, most}(roll);
}

} // namespace

crash_load::crash_load(load_options how) : how_(std::move(how))
{
    for (int i = 0; i < callers; ++i)
        callers_.emplace_back([this, i] { call_on(how_.seed + static_cast<std::uint64_t>(i)); });
    for (int i = 0; i < readers; ++i)
        readers_.emplace_back([this] { read_on(); });
}

crash_load::~crash_load()
{
    calls_over_ = true;
    read_until_ = -1;
    for (auto& one : callers_)
        if (one.joinable())
            one.join();
    for (auto& one : readers_)
        if (one.joinable())
            one.join();
}

void crash_load::complain(std::string what)
{
    const std::lock_guard lock{all_.mutex};
    all_.problems.push_back(std::move(what));
}

void crash_load::call_on(std::uint64_t seed)
{
    dice roll{seed};
    while (!calls_over_) {
        if (allowed_.fetch_sub(1) > 0)
            act(roll);
        else {
            ++allowed_;
            pause_shortly();
        }
    }
}

void crash_load::act(dice& roll)
{
    const auto what = up_to(roll, 99);
    if (what < 50 || !how_.messages)
        submit(roll);
    else if (what < 85)
        send_message(roll);
    else if (what < 90)
        cancel(roll);
    else
        static_cast<void>(tolerant_call(how_.socket, "GET", "/v1/tasks?limit=20"));
}

promised_task crash_load::any_task(dice& roll)
{
    const std::lock_guard lock{all_.mutex};
    if (all_.tasks.empty())
        return {};
    const auto newest = all_.tasks.size() - 1; // among the last ones, which may be at work
    return all_.tasks[newest - up_to(roll, std::min<std::size_t>(newest, 20))];
}

void crash_load::submit(dice& roll)
{
    const auto before = up_to(roll, 3) == 0 ? any_task(roll) : promised_task{};
    std::size_t which = 0;
    {
        const std::lock_guard lock{all_.mutex};
        which = all_.tasks.size();
        promised_task fresh;
        fresh.key = "task-" + std::to_string(which);
        const bool follows = !before.session.empty();
        fresh.prompt = (follows ? "more " : "work ") + std::to_string(which) + ".";
        js::object body{{"prompt", fresh.prompt}, {"env", {{"CRASH_MARK", how_.mark}}}};
        if (follows)
            body["session_id"] = before.session;
        else
            body["workdir"] = how_.workspace;
        fresh.body = js::serialize(body);
        all_.tasks.push_back(std::move(fresh));
    }
    submit_again(which);
}

// The first time, or with the same key once more: the task must be the same.
void crash_load::submit_again(std::size_t which)
{
    promised_task wish;
    {
        const std::lock_guard lock{all_.mutex};
        wish = all_.tasks[which];
    }
    const auto reply =
        tolerant_call(how_.socket, "POST", "/v1/tasks", wish.body, key_header(wish.key));
    if (!reply)
        return;
    if (reply->status != 202)
        return complain("submit answered " + std::to_string(reply->status) + ": " + reply->body);
    const auto task = js::parse(reply->body);
    const std::lock_guard lock{all_.mutex};
    auto& kept = all_.tasks[which];
    if (!kept.id.empty()) {
        ++all_.kept_by_key;
        if (kept.answer != reply->body)
            all_.problems.push_back("another answer to " + kept.key + ": " + reply->body);
        return;
    }
    kept.answer = reply->body;
    kept.id = task.at("id").as_string();
    kept.session = task.at("session_id").as_string();
}

void crash_load::send_message(dice& roll)
{
    const auto task = any_task(roll);
    if (task.id.empty())
        return;
    std::size_t which = 0;
    {
        const std::lock_guard lock{all_.mutex};
        which = all_.messages.size();
        const auto number = std::to_string(which);
        all_.messages.push_back(
            {"message-" + number, task.id, "note " + number + ".", false, false});
    }
    send_message_again(which);
}

void crash_load::send_message_again(std::size_t which)
{
    promised_message wish;
    {
        const std::lock_guard lock{all_.mutex};
        wish = all_.messages[which];
    }
    const auto reply = tolerant_call(how_.socket, "POST", "/v1/tasks/" + wish.task + "/messages",
        js::serialize(js::value{{"text", wish.text}}), key_header(wish.key));
    if (!reply)
        return;
    if (reply->status != 202 && reply->status != 409)
        return complain("message answered " + std::to_string(reply->status) + ": " + reply->body);
    const std::lock_guard lock{all_.mutex};
    auto& kept = all_.messages[which];
    kept.accepted = kept.accepted || reply->status == 202;
    kept.refused = reply->status == 409;
    if (kept.accepted && kept.refused)
        all_.problems.push_back("a message was accepted, then refused: " + kept.key);
}

void crash_load::cancel(dice& roll)
{
    const auto task = any_task(roll);
    if (task.id.empty())
        return;
    const auto reply = tolerant_call(how_.socket, "POST", "/v1/tasks/" + task.id + "/cancel");
    if (!reply)
        return;
    const std::lock_guard lock{all_.mutex};
    if (reply->status == 202)
        all_.cancelled.insert(task.id);
    else if (reply->status != 200)
        all_.problems.push_back("cancel answered " + std::to_string(reply->status));
}

void crash_load::finish_calls()
{
    calls_over_ = true;
    for (auto& one : callers_)
        one.join();
    for (std::size_t i = 0; i < all_.tasks.size(); ++i)
        submit_again(i);
    for (std::size_t i = 0; i < all_.messages.size(); ++i)
        if (!all_.messages[i].accepted && !all_.messages[i].refused)
            send_message_again(i);
}

void crash_load::finish_reading(std::int64_t newest)
{
    read_until_ = newest;
    for (auto& one : readers_)
        one.join();
}

void crash_load::read_on()
{
    std::int64_t cursor = 0;
    const auto is_done = [&] {
        const auto until = read_until_.load();
        return until != 0 && cursor >= until;
    };
    while (read_until_ != -1 && !is_done())
        read_once(cursor);
}

// From where the last connection has ended: each number once, and what it tells for good.
void crash_load::read_once(std::int64_t& cursor)
{
    tolerant_stream events{how_.socket, "/v1/events?follow=1&after=" + std::to_string(cursor)};
    if (events.status() != 200) {
        if (events.status() != 0)
            complain("events answered " + std::to_string(events.status()));
        return pause_shortly();
    }
    while (read_until_ == 0 || (read_until_ > 0 && cursor < read_until_)) {
        const auto line = events.next_line();
        if (!line && events.is_idle())
            continue;
        if (!line)
            return;
        const auto event = js::parse(*line);
        const auto* seq = event.as_object().if_contains("seq");
        if (seq == nullptr)
            continue; // live text, heartbeats
        if (seq->as_int64() != cursor + 1)
            complain("event " + std::to_string(cursor) + " is followed by " + *line);
        cursor = seq->as_int64();
        const std::lock_guard lock{all_.mutex};
        const auto [known, fresh] = all_.read.emplace(cursor, *line);
        events_read_ += fresh ? 1 : 0;
        if (!fresh && known->second != *line)
            all_.problems.push_back("read twice, differently: " + *line);
    }
}

} // namespace agentd::testing
