// The sessions of the daemon and what their callers may ask of them: implements
// session::service over the store and the registry. Made once by the composition root.
// Callable from any strand.
#pragma once

#include "jobs/former.hpp"
#include "session/environment.hpp"
#include "session/late_cancels.hpp"
#include "session/registry.hpp"
#include "session/service.hpp"
#include "session/suspects.hpp"
#include "store/jobs.hpp"

#include <atomic>

namespace agentd::session {

class core final : public service {
public:
    explicit core(environment& shared);

    // What the state says was running when the daemon ended, so that its processes can be known.
    // Before recover(), which gives it its end. Errors: the store's.
    aio::awaitable<base::result<jobs::former_run>> was_running();
    // After a restart: gives what cannot go on its end, and wakes the sessions that have work.
    // Before the first caller. Errors: the store's.
    aio::awaitable<base::result<>> recover();
    // Submits and messages are refused from now on (errc::draining).
    void drain() { draining_ = true; }
    // Ends all work in an orderly way; see registry::shut_down.
    aio::awaitable<> shut_down();

    aio::awaitable<base::result<submitted>> submit(
        caller who, proto::api::submit_request what, std::optional<idempotency_key> key) override;
    aio::awaitable<base::result<proto::api::task>> task(caller who, std::string id) override;
    aio::awaitable<base::result<proto::api::task>> wait(
        caller who, std::string id, std::chrono::milliseconds limit) override;
    aio::awaitable<base::result<page<proto::api::task>>> tasks(
        caller who, task_filter which) override;
    aio::awaitable<base::result<cancelled>> cancel(caller who, std::string id) override;
    aio::awaitable<base::result<submitted>> add_message(
        caller who, std::string id, std::string text, std::optional<idempotency_key> key) override;
    aio::awaitable<base::result<proto::api::session>> session(caller who, std::string id) override;
    aio::awaitable<base::result<page<proto::api::session>>> sessions(
        caller who, std::size_t limit, std::string after) override;
    aio::awaitable<base::result<page<proto::api::message>>> messages(
        caller who, std::string session_id, std::int64_t after_seq, std::size_t limit) override;
    aio::awaitable<base::result<void>> remove_session(caller who, std::string id) override;
    aio::awaitable<base::result<export_piece>> export_session(
        caller who, std::string id, export_cursor from) override;
    aio::awaitable<base::result<proto::api::session>> import_session(
        caller who, import_options how, piece_source& from) override;
    aio::awaitable<base::result<proto::api::job>> job(caller who, std::string id) override;
    aio::awaitable<base::result<page<proto::api::job>>> jobs(caller who, job_filter which) override;
    aio::awaitable<base::result<output_piece>> job_output(
        caller who, std::string id, output_range which) override;
    aio::awaitable<base::result<std::uint64_t>> tail_offset(
        caller who, std::string id, std::size_t lines) override;
    aio::awaitable<base::result<proto::api::job>> kill_job(caller who, std::string id) override;
    aio::awaitable<base::result<proto::api::input_written>> write_input(
        caller who, std::string id, std::string text, bool eof) override;
    aio::awaitable<base::result<store::events::filter>> event_filter(caller who,
        std::string task_id, std::string session_id, std::vector<std::string> types) override;
    aio::awaitable<base::result<counts>> count() override;

private:
    aio::awaitable<> take_stock(store::jobs::row& job);
    // The cancel that the disk did not take, because of `why`.
    aio::awaitable<base::result<cancelled>> cancel_unstored(
        caller who, std::string id, base::error why);
    void tell_cancel(const proto::api::task& of);
    [[nodiscard]] suspects::means means_of_trial();

    environment& shared_;
    registry registry_;
    suspects suspects_;
    late_cancels late_cancels_;
    std::atomic<bool> draining_ = false;
    // Rows of the database and those about to be: counting them takes long when there are many.
    std::atomic<std::int64_t> sessions_ = 0;
};

} // namespace agentd::session
