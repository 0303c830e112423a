// The load of the crash test: people who submit, add messages and cancel, and readers who
// follow the events, while the daemon is killed and started under them. They remember what
// they were promised; crash_check.hpp compares it with what is there in the end.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace agentd::testing {

// What somebody wanted, and what he was answered.
struct promised_task {
    std::string key;     // Idempotency-Key
    std::string body;    // what was sent
    std::string prompt;  // within it
    std::string id;      // empty: no answer came yet
    std::string session; // of the answered task
    std::string answer;  // the first one, whole
};

struct promised_message {
    std::string key;
    std::string task;
    std::string text;
    bool accepted = false; // answered 202
    bool refused = false;  // answered that the task has ended
};

// Everything that was promised; threads add to it under the mutex.
struct promises {
    std::mutex mutex;
    std::vector<promised_task> tasks;
    std::vector<promised_message> messages;
    std::set<std::string> cancelled;          // tasks whose cancel was answered
    std::map<std::int64_t, std::string> read; // events by seq, as readers saw them
    std::vector<std::string> problems;        // what readers and callers found wrong
    std::uint64_t kept_by_key = 0;            // calls that were answered a second time
};

struct load_options {
    std::string socket, workspace;
    std::string mark; // in the environment of every command that the tasks run
    std::uint64_t seed = 0;
    bool messages = true; // and cancels, besides tasks
};

class crash_load {
public:
    explicit crash_load(load_options how);
    ~crash_load();
    crash_load(const crash_load&) = delete;
    crash_load& operator=(const crash_load&) = delete;

    // That many more calls may be made from now on.
    void allow(int calls) { allowed_ += calls; }
    // No new calls; what was not answered is asked again until it is. Readers go on until
    // they have seen the event `newest`, then everything has ended.
    void finish_calls();
    void finish_reading(std::int64_t newest);
    [[nodiscard]] promises& all() { return all_; }
    // How many events the readers have got so far, the same ones once.
    [[nodiscard]] std::uint64_t events_read() const { return events_read_; }

private:
    using dice = std::mt19937_64;
    void call_on(std::uint64_t seed);
    void read_on();
    void read_once(std::int64_t& cursor);
    void act(dice& roll);
    void submit(dice& roll);
    void submit_again(std::size_t which);
    void send_message(dice& roll);
    void send_message_again(std::size_t which);
    void cancel(dice& roll);
    // An answered task, if there is any; empty strings.
    [[nodiscard]] promised_task any_task(dice& roll);
    void complain(std::string what);

    load_options how_;
    promises all_;
    std::atomic<int> allowed_ = 0;
    std::atomic<std::uint64_t> events_read_ = 0;
    std::atomic<bool> calls_over_ = false;
    std::atomic<std::int64_t> read_until_ = 0; // 0: not known yet
    std::vector<std::thread> callers_, readers_;
};

} // namespace agentd::testing
