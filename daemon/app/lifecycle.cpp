// What runs beside the daemon's life: signals, the watchdog, the limit of a stop, reloads.
#include "app/daemon.hpp"
#include "app/logging.hpp"
#include "app/notify.hpp"
#include "app/settings.hpp"
#include "base/log.hpp"
#include "model/options.hpp"
#include "proto/json/writer.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>

namespace agentd::app {
namespace {

// What a reload puts in force; the rest waits for a restart.
bool is_reloaded(std::string_view key)
{
    constexpr std::array<std::string_view, 11> whole{"wake_window_ms", "limits.queued_tasks",
        "limits.sessions", "limits.session_budget_usd", "limits.session_tokens", "jobs.per_session",
        "jobs.per_daemon", "jobs.timeout_s", "workspace.roots", "retention.events_days",
        "retention.events_count"};
    return key.starts_with("model.") || key.starts_with("log.") ||
        std::ranges::find(whole, key) != whole.end();
}

// What a reload has read, on a thread that may block.
struct fresh_start {
    base::result<config> all;
    base::result<credential> key;
};

fresh_start read_again(const startup& from)
{
    auto all = read_config_again(from);
    auto key = find_credential(from.credentials, all ? all->model.api_key_file : std::string{});
    return {std::move(all), std::move(key)};
}

// The keys whose new value waits for a restart.
std::vector<std::string> waiting_keys(const config& old, const config& fresh)
{
    std::vector<std::string> keys;
    const auto before = describe(old);
    for (const auto& [key, value] : describe(fresh)) {
        const bool same = std::ranges::find(before, std::pair{key, value}) != before.end();
        if (!same && !is_reloaded(key))
            keys.push_back(key);
    }
    return keys;
}

std::string reloaded_body(const std::vector<std::string>& waiting, const std::string& failure)
{
    std::string body;
    proto::json::object_writer to{body};
    to.member("ok", failure.empty());
    if (!failure.empty())
        to.member("error", failure);
    if (!waiting.empty()) {
        auto keys = to.array("needs_restart");
        for (const auto& key : waiting)
            keys.item(key);
    }
    to.close();
    return body;
}

std::string jump_body(const store::seq_jump& lost)
{
    std::string body;
    proto::json::object_writer to{body};
    to.member("from", lost.first).member("to", lost.last);
    to.close();
    return body;
}

std::string reasons_body(const std::vector<std::string>& reasons)
{
    std::string body;
    proto::json::object_writer to{body};
    {
        auto all = to.array("reasons");
        for (const auto& reason : reasons)
            all.item(reason);
    }
    to.close();
    return body;
}

} // namespace

aio::awaitable<> daemon::tell_recovered()
{
    const auto lost = db_->jump();
    if (!lost)
        co_return;
    log::warning("daemon.recovered", {},
        "what was stored last is lost: event numbers {} to {} may have been seen and are not used",
        lost->first, lost->last);
    auto body = jump_body(*lost);
    co_await record("daemon.recovered", std::move(body));
}

aio::awaitable<> daemon::tell_degraded()
{
    const auto reasons = status_.degraded();
    if (reasons.empty())
        co_return;
    log::warning("daemon.degraded", {}, "{}", fmt::join(reasons, "; "));
    auto body = reasons_body(reasons);
    co_await record("daemon.degraded", std::move(body));
}

aio::awaitable<bool> daemon::record(std::string type, std::string body, base::wall_time when)
{
    auto work = [type = std::move(type), body = std::move(body), when](store::connection& db) {
        proto::api::event what;
        what.time = when;
        what.type = type;
        what.body = body;
        return db.append_event(std::move(what));
    };
    const auto written = co_await db_->write(
        store::step::daemon_event, store::durability::process_death, std::move(work));
    if (!written)
        log::warning("daemon.event_lost", {}, "cannot record an event: {}", written.error().text);
    co_return written.has_value();
}

aio::awaitable<> daemon::heed_signals()
{
    for (;;) {
        const int signal = co_await signals_.async_wait(boost::asio::use_awaitable);
        if (signal == SIGHUP) {
            if (!stop_asked_.is_raised()) // a stop takes apart what a reload would change
                co_await reload();
            continue;
        }
        if (stop_asked_.is_raised()) { // asked twice: at once, whatever is lost by it
            log::error("daemon.killed", {}, "asked to stop a second time: ending at once");
            jobs_.kill_all();
            std::_Exit(1);
        }
        stop_reason_ = signal == SIGINT ? "SIGINT" : "SIGTERM";
        stop_asked_.raise();
    }
}

aio::awaitable<> daemon::feed_watchdog(std::chrono::milliseconds every)
{
    for (;;) {
        notify_watchdog();
        co_await aio::sleep_for(every);
    }
}

// A stop that takes too long would be cut off by systemd without a word.
aio::awaitable<> daemon::guard_stop()
{
    // Where the state cannot be written nothing is gained by waiting: jobs have their grace, and
    // the rest is as after a kill.
    constexpr std::chrono::seconds for_ends{2};
    const auto begun = base::mono_now();
    const auto in_trouble = from_.config.jobs.grace + for_ends;
    std::chrono::milliseconds limit = limits::stop_deadline;
    while (base::elapsed_since(begun) < limit) {
        co_await aio::sleep_for(std::chrono::milliseconds{200});
        limit = db_->degraded().empty() ? limits::stop_deadline : in_trouble;
    }
    log::error("daemon.stuck", {}, "could not stop within {} s: ending at once",
        std::chrono::duration_cast<std::chrono::seconds>(limit).count());
    jobs_.kill_all();
    std::_Exit(1);
}

aio::awaitable<> daemon::reload()
{
    notify_reloading();
    log::reopen();
    auto work = [this] {
        auto read = read_again(from_);
        if (read.all) {
            model_->reload(model_options(*read.all, read.key));
            open_log(*read.all);
        }
        return read;
    };
    auto read = co_await blocking_.run(std::move(work));
    std::vector<std::string> waiting;
    std::string failure;
    if (read.all) {
        auto fresh = session_settings(*read.all, from_);
        fresh.shared = from_.config.shared; // the API lets the same people in until a restart
        settings_.set(std::move(fresh));
        jobs_.job_places.change(job_options(*read.all, from_).job_caps);
        retention_.set(retention_rules(*read.all));
        status_.set_key_problem(read.key ? std::string{} : read.key.error().text);
        waiting = waiting_keys(from_.config, *read.all);
        log::info("daemon.reloaded", {}, "configuration read again");
        if (!waiting.empty())
            log::warning("daemon.reloaded", {}, "these keys wait for a restart: {}",
                fmt::join(waiting, ", "));
    } else {
        failure = read.all.error().text;
        log::error("daemon.reload_failed", {}, "kept the old configuration: {}", failure);
    }
    auto body = reloaded_body(waiting, failure);
    co_await record("daemon.reloaded", std::move(body));
    co_await tell_degraded();
    notify_ready(status_.degraded().empty() ? "serving" : "degraded");
}

} // namespace agentd::app
