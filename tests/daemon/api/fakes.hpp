// The daemon behind the API, as tests need it: a service that answers from fields, a hub with
// a history in memory, a status. Guarded by a mutex, so that tests may change them while the
// server runs on its own threads.
#pragma once

#include "api/status.hpp"
#include "session/event_hub.hpp"
#include "session/service.hpp"

#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>

namespace agentd::testing {

using session::caller;

// Answers each call from what stands in its fields. Ids that begin with "t_none", "s_none",
// "00000000" are not found.
class fake_service final : public session::service {
public:
    // What every call fails with; none: they succeed.
    void fail_with(std::optional<base::error> why);

    aio::awaitable<base::result<session::submitted>> submit(caller who,
        proto::api::submit_request what, std::optional<session::idempotency_key> key) override;
    aio::awaitable<base::result<proto::api::task>> task(caller who, std::string id) override;
    aio::awaitable<base::result<proto::api::task>> wait(
        caller who, std::string id, std::chrono::milliseconds limit) override;
    aio::awaitable<base::result<session::page<proto::api::task>>> tasks(
        caller who, session::task_filter which) override;
    aio::awaitable<base::result<cancelled>> cancel(caller who, std::string id) override;
    aio::awaitable<base::result<session::submitted>> add_message(caller who, std::string id,
        std::string text, std::optional<session::idempotency_key> key) override;
    aio::awaitable<base::result<proto::api::session>> session(caller who, std::string id) override;
    aio::awaitable<base::result<session::page<proto::api::session>>> sessions(
        caller who, std::size_t limit, std::string after) override;
    aio::awaitable<base::result<session::page<proto::api::message>>> messages(
        caller who, std::string session_id, std::int64_t after_seq, std::size_t limit) override;
    aio::awaitable<base::result<void>> remove_session(caller who, std::string id) override;
    aio::awaitable<base::result<session::export_piece>> export_session(
        caller who, std::string id, session::export_cursor from) override;
    aio::awaitable<base::result<proto::api::session>> import_session(
        caller who, session::import_options how, session::piece_source& from) override;
    aio::awaitable<base::result<proto::api::job>> job(caller who, std::string id) override;
    aio::awaitable<base::result<session::page<proto::api::job>>> jobs(
        caller who, session::job_filter which) override;
    aio::awaitable<base::result<session::output_piece>> job_output(
        caller who, std::string id, session::output_range which) override;
    aio::awaitable<base::result<std::uint64_t>> tail_offset(
        caller who, std::string id, std::size_t lines) override;
    aio::awaitable<base::result<proto::api::job>> kill_job(caller who, std::string id) override;
    aio::awaitable<base::result<proto::api::input_written>> write_input(
        caller who, std::string id, std::string text, bool eof) override;
    aio::awaitable<base::result<store::events::filter>> event_filter(caller who,
        std::string task_id, std::string session_id, std::vector<std::string> types) override;
    aio::awaitable<base::result<session::counts>> count() override;

    // What the last call of its kind was asked.
    std::mutex guard;
    proto::api::submit_request last_submit;
    std::optional<session::idempotency_key> last_key;
    session::task_filter last_tasks;
    session::job_filter last_jobs;
    std::string last_text;
    session::import_options last_import;
    std::size_t imported_bytes = 0;
    std::size_t largest_piece = 0;
    std::chrono::milliseconds last_wait{};
    caller last_caller;
    std::atomic<bool> task_ended = false;
    std::atomic<int> waits_given_up = 0;
    std::atomic<bool> messages_throw = false;
    bool last_eof = false; // of last_text, written to a job

    // A job's output: kept bytes, with a piece left out of the middle.
    std::string output;
    std::vector<jobs::time_mark> times;
    proto::api::byte_gap gap{};
    std::atomic<bool> job_ended = true;

private:
    base::result<> check(const std::string& id);
    session::output_piece piece_at(std::uint64_t offset, std::size_t limit);

    std::optional<base::error> failure_;
};

class fake_hub final : public session::event_hub {
public:
    struct reader; // one subscription's queue

    aio::awaitable<base::result<session::history_page>> history(
        store::events::filter which, base::event_seq after, std::size_t limit) override;
    aio::awaitable<std::unique_ptr<session::subscription>> subscribe(
        aio::executor strand, store::events::filter which) override;
    void publish(session::delta what) override;

    // Commits an event: into the history and to the subscribers.
    base::event_seq append(
        const std::string& type, const std::string& task = {}, const std::string& session = {});
    // Forgets the events before `oldest`.
    void purge(base::event_seq oldest);
    // All readers have not kept up.
    void lag();
    [[nodiscard]] std::size_t readers();
    // Runs once, on the next history read after a subscription: before it is answered.
    void before_history(std::function<void()> what);

private:
    std::mutex guard_;
    std::vector<proto::api::event> events_;
    base::event_seq newest_ = 0;
    base::event_seq oldest_ = 1;
    std::set<std::shared_ptr<reader>> readers_;
    std::function<void()> before_history_;
};

class fake_status final : public api::status {
public:
    [[nodiscard]] api::daemon_info info() const override;
    [[nodiscard]] std::vector<std::string> degraded() const override { return reasons; }
    std::vector<std::string> reasons;
};

// An event that `which` matches, as the store would say.
[[nodiscard]] bool fits(const store::events::filter& which, const proto::api::event& what);

} // namespace agentd::testing
