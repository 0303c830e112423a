// The notification queue of one session: what happened since the last model request. Producers
// are jobs and clients, by way of the session's strand; the consumer is the session coroutine,
// which takes everything at once, so that one request carries all news.
// What stands here is stored already, and is taken off the store only with the reply to the
// request that carried it. On the session's strand only. Bounded by the caps on jobs and on
// pending messages, which are checked before anything is stored.
#pragma once

#include "session/background_results.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace agentd::session {

class inbox {
public:
    // A job of the session has ended or stalls; `id` is its notification's in the store. One that
    // was pushed before is no news: a session is loaded while things go on arriving.
    void push(std::int64_t id, job_news what);
    // A user has sent a message to the task that is open.
    bool push(std::int64_t id, std::string text); // false: pushed before

    // A task has ended: what was still to be said to it is said to nobody.
    void drop_messages() { messages_.clear(); }
    // Back in the store's queue (their message was refused): they may be pushed again.
    void forget(const std::vector<std::int64_t>& ids);

    [[nodiscard]] bool empty() const { return jobs_.empty() && messages_.empty(); }
    [[nodiscard]] bool has_message() const { return !messages_.empty(); }
    // One of these jobs stalls, and the model has not been told yet.
    [[nodiscard]] bool has_stall(const std::vector<base::job_id>& of) const;

    // Everything, in order of arrival.
    struct news {
        std::vector<std::int64_t> ids; // of `jobs`, then of `messages`
        std::vector<job_news> jobs;
        std::vector<std::string> messages;
    };
    [[nodiscard]] news drain();
    // The messages alone; what is told of jobs waits.
    [[nodiscard]] news drain_messages();

private:
    template <class T>
    struct item {
        std::int64_t id;
        T what;
    };
    std::vector<item<job_news>> jobs_;
    std::vector<item<std::string>> messages_;
    std::set<std::int64_t> known_; // ids ever pushed
};

} // namespace agentd::session
