// Readers of the event stream that leave at random moments and come back with their cursor, and
// one that does not keep up: no event is missed, none comes twice, and nobody waits for them.
#include "tests/system/evidence.hpp"
#include "tests/system/tolerant_client.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <random>
#include <thread>

using namespace agentd::testing;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool slow_build = true;
#elif defined(__has_feature)
constexpr bool slow_build = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool slow_build = false;
#endif

constexpr int readers = 8;
constexpr int disconnects = slow_build ? 1000 : 10'000; // of all readers together
constexpr int most_tasks = 250;

// One reader; its thread alone uses it until it is joined.
struct reader {
    std::string socket;
    std::mt19937_64 roll;
    std::int64_t cursor = 0;
    std::size_t events = 0;
    std::string wrong;

    std::uint64_t up_to(std::uint64_t most)
    {
        return std::uniform_int_distribution<std::uint64_t>{0, most}(roll);
    }
    [[nodiscard]] tolerant_stream connect() const
    {
        return {socket, "/v1/events?follow=1&after=" + std::to_string(cursor)};
    }
    void take(const std::string& line)
    {
        const auto event = js::parse(line);
        const auto* seq = event.as_object().if_contains("seq");
        if (seq == nullptr) // a heartbeat
            return;
        if (seq->as_int64() != cursor + 1)
            wrong += "event " + std::to_string(cursor) + " is followed by " + line + "\n";
        cursor = seq->as_int64();
        ++events;
    }
    // Reads so much as comes, then leaves; in the middle of a line as well.
    void come_and_go()
    {
        auto stream = connect();
        if (stream.status() != 200) {
            wrong += "the events answered " + std::to_string(stream.status()) + "\n";
            return;
        }
        for (auto left = up_to(4); left > 0; --left) {
            if (!stream.await_bytes(std::chrono::microseconds{up_to(1000)}))
                return;
            const auto line = stream.next_line();
            if (!line)
                return;
            take(*line);
        }
    }
    void read_up_to(std::int64_t newest)
    {
        auto stream = connect();
        while (cursor < newest) {
            const auto line = stream.next_line();
            if (!line && !stream.is_idle())
                break;
            if (line)
                take(*line);
        }
    }
};

} // namespace

TEST_CASE("readers: 10,000 disconnects at random moments, and each event is read once")
{
    world w{{.scenario = scenario({conversation(
                 "work", {step({use("bash", {{"command", "true"}})}), step({say("Done.")})})})}};
    std::vector<reader> all;
    for (std::uint64_t i = 0; i < readers; ++i)
        all.push_back({w.socket(), std::mt19937_64{20240607 + i}, 0, 0, {}});
    std::atomic<int> reading = readers;
    std::vector<std::thread> threads;
    for (auto& one : all)
        threads.emplace_back([&one, &reading] {
            for (int i = 0; i < disconnects / readers; ++i)
                one.come_and_go();
            --reading;
        });
    std::vector<std::string> tasks;
    while (reading > 0 && tasks.size() < most_tasks) {
        tasks.push_back(w.submit("work " + std::to_string(tasks.size()) + "."));
        pass_time(std::chrono::milliseconds{1});
    }
    for (auto& one : threads)
        one.join();
    for (const auto& task : tasks)
        CHECK(state_of(w.ended(task)) == "succeeded");
    const auto newest = w.events().back().at("seq").as_int64();
    for (auto& one : all) {
        one.read_up_to(newest);
        CHECK_MESSAGE(one.wrong.empty(), one.wrong);
        CHECK(one.events == static_cast<std::size_t>(newest));
    }
    std::printf("readers: %d disconnects of %d readers amid %lld events\n", disconnects, readers,
        static_cast<long long>(newest));
}

TEST_CASE("readers: one that does not read is cut off with its cursor; nobody waits for it")
{
    const std::string text(300'000, 'x'); // 24 of them are more than a reader may be behind
    world w{{.scenario = scenario({conversation("long", {step({say(text)})})})}};
    tolerant_stream stalled{w.socket(), "/v1/events?follow=1&after=0"};
    REQUIRE(stalled.status() == 200);
    for (int i = 0; i < 24; ++i)
        CHECK(state_of(w.ended(w.submit("long " + std::to_string(i) + "."))) == "succeeded");
    reader slow{w.socket(), {}, 0, 0, {}};
    std::int64_t resume_after = 0;
    for (auto line = stalled.next_line(); line; line = stalled.next_line()) {
        if (line->starts_with(R"({"type":"lagged")"))
            resume_after = js::parse(*line).at("resume_after").as_int64();
        else
            slow.take(*line);
    }
    CHECK_FALSE(stalled.is_idle()); // it was ended
    CHECK(resume_after > 0);
    CHECK(resume_after == slow.cursor);
    const auto newest = w.events().back().at("seq").as_int64();
    CHECK(resume_after < newest);
    slow.read_up_to(newest);
    CHECK_MESSAGE(slow.wrong.empty(), slow.wrong);
    CHECK(slow.events == static_cast<std::size_t>(newest));
}
