#include "app/daemon.hpp"

#include "app/exit_status.hpp"
#include "app/notify.hpp"
#include "app/settings.hpp"
#include "base/log.hpp"
#include "base/slow_step.hpp"
#include "proto/json/writer.hpp"

#include <fmt/format.h>

#include <csignal>
#include <exception>
#include <thread>
#include <vector>

namespace agentd::app {
namespace {

constexpr std::size_t store_news = 64;      // that wait for the disk to take them
constexpr std::size_t blocking_threads = 4; // large files and spool writes at once

std::string started_body(const startup& from, const status_report& status)
{
    std::string body;
    proto::json::object_writer to{body};
    to.member("version", AGENTD_VERSION)
        .member("boot_id", status.boot_id())
        .member("model", from.config.model.name);
    to.close();
    return body;
}

void tell_supervision(const jobs::supervision& how)
{
    const auto why = how.reason.empty() ? std::string{} : ": " + how.reason;
    if (how.path.empty())
        log::info("jobs.supervision", {}, "jobs are held by {}{}", how.means, why);
    else
        log::info("jobs.supervision", {}, "jobs are held by {} in {}{}", how.means, how.path, why);
}

} // namespace

daemon::daemon(prepared with)
    : from_(std::move(with.from)),
      at_(std::move(with.at)),
      io_(static_cast<int>(from_.config.threads)),
      strand_(aio::make_strand(io_.get_executor())),
      blocking_(blocking_threads),
      db_(std::move(with.db)),
      retention_(*db_, retention_rules(from_.config)),
      model_(model::make_client(io_.get_executor(), model_options(from_.config, with.key))),
      policy_(std::move(with.policy)),
      commands_(tools::own_environment(), tools::current_user(), from_.config.jobs.pass_env),
      jobs_(io_.get_executor(), blocking_, job_options(from_.config, from_)),
      places_(io_.get_executor(), static_cast<std::size_t>(from_.config.limits.running_tasks)),
      hub_(io_.get_executor(), *db_),
      settings_(session_settings(from_.config, from_)),
      shared_{io_.get_executor(), *db_, *model_, tools_, policy_, commands_, jobs_, blocking_,
          places_, hub_, settings_},
      core_(shared_),
      status_(from_, *model_, *db_, settings_),
      server_(io_.get_executor(), std::move(at_.socket),
          api::parts{&core_, &hub_, &status_, &blocking_}, api_options(from_.config, at_.group)),
      signals_(strand_, SIGTERM, SIGINT, SIGHUP),
      store_news_(strand_, store_news),
      stop_asked_(strand_),
      life_(strand_),
      beside_(strand_)
{
    heed_store();
    if (!with.key)
        status_.set_key_problem(with.key.error().text);
}

int daemon::run()
{
    life_.start("daemon", live());
    std::vector<std::thread> others;
    for (std::int64_t i = 1; i < from_.config.threads; ++i)
        others.emplace_back([this] { io_.run(); });
    io_.run();
    for (auto& other : others)
        other.join();
    return exit_status_;
}

aio::awaitable<> daemon::live()
{
    beside_.spawn("signals", heed_signals());
    beside_.spawn("trouble", tell_trouble());
    if (const auto every = watchdog_interval())
        beside_.spawn("watchdog", feed_watchdog(*every));
    const auto begun = co_await begin();
    if (begun)
        co_await stop_asked_.wait();
    else {
        log::error("daemon.failed", {}, "cannot start: {}", begun.error().text);
        exit_status_ = exit_status_of(begun.error());
        stop_asked_.raise();
    }
    co_await end();
    beside_.cancel();
    co_await beside_.join();
}

aio::awaitable<base::result<>> daemon::begin()
{
    jobs::former_run before;
    if (!jobs_.ended_in_order()) {
        const base::slow_step step{"reading what was running"};
        auto known = co_await core_.was_running();
        if (!known)
            co_return std::unexpected(std::move(known.error()));
        before = std::move(*known);
    }
    if (auto opened = jobs_.open(before); !opened)
        co_return opened;
    tell_supervision(jobs_.leaves.means());
    status_.set_supervision(jobs_.leaves.means());
    co_await tell_recovered(); // before any other event: it is due until one follows
    auto recovered = co_await recover();
    if (!recovered)
        co_return recovered;
    auto started = started_body(from_, status_);
    co_await record("daemon.started", std::move(started));
    server_.start();
    co_await tell_degraded();
    log::info("daemon.started", {}, "agentd {} serves {}", AGENTD_VERSION,
        at_.own ? at_.own->path() : std::string{"a passed socket"});
    notify_ready(status_.degraded().empty() ? "serving" : "degraded");
    beside_.spawn("retention", retention_.run());
    co_return base::result<>{};
}

aio::awaitable<base::result<>> daemon::recover()
{
    const base::slow_step step{"recovering tasks"};
    co_return co_await core_.recover();
}

aio::awaitable<> daemon::end()
{
    log::info("daemon.stopping", {}, "stopping ({})",
        stop_reason_.empty() ? "could not start" : stop_reason_);
    notify_stopping("stopping");
    beside_.spawn("stop limit", guard_stop());
    server_.drain();
    core_.drain();
    std::string body;
    {
        proto::json::object_writer to{body};
        to.member("signal", stop_reason_);
    }
    co_await record("daemon.stopping", std::move(body));
    co_await core_.shut_down();
    co_await server_.stop();
    co_await jobs_.close();
    model_.reset(); // closes unused connections, whose timers would keep the loop running
    log::info("daemon.stopped", {}, "stopped");
}

} // namespace agentd::app
