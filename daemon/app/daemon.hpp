// The daemon put together: every layer made once, in an order in which each outlives what
// uses it, and the life of the whole: recover, serve, reload, stop.
// Made and run on the main thread; its coroutines run on one strand of their own.
#pragma once

#include "aio/blocking_pool.hpp"
#include "aio/flag.hpp"
#include "aio/mailbox.hpp"
#include "aio/task_group.hpp"
#include "api/listener.hpp"
#include "api/server.hpp"
#include "app/startup.hpp"
#include "app/status_report.hpp"
#include "base/clock.hpp"
#include "jobs/environment.hpp"
#include "model/client.hpp"
#include "session/core.hpp"
#include "session/hub.hpp"
#include "session/scheduler.hpp"
#include "store/retention.hpp"
#include "store/store.hpp"
#include "tools/command_environment.hpp"
#include "tools/policy.hpp"
#include "tools/tool.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <memory>
#include <optional>
#include <string>

namespace agentd::app {

// The listening socket: passed by systemd, or our own with its lock and file.
struct listening {
    base::unique_fd socket;
    std::optional<api::listener> own;
    std::optional<std::uint32_t> group; // of its file
};

// What has to be had before the layers are made: each can fail.
struct prepared {
    startup from;
    listening at;
    std::unique_ptr<store::store> db;
    tools::policy policy;
    base::result<credential> key;
};

// The state cannot be written.
struct trouble {
    std::string why;
    base::wall_time when;  // for the event
    base::mono_time since; // for its length
    bool recorded = false; // the event is stored
};

class daemon {
public:
    explicit daemon(prepared with);

    // Serves until a signal asks it to stop; the exit status.
    int run();

private:
    // --- daemon.cpp: the life of the whole
    aio::awaitable<> live();
    aio::awaitable<base::result<>> begin();
    aio::awaitable<base::result<>> recover();
    aio::awaitable<> end();

    // --- lifecycle.cpp: what runs beside it
    aio::awaitable<> heed_signals();
    aio::awaitable<> feed_watchdog(std::chrono::milliseconds every);
    aio::awaitable<> guard_stop();
    aio::awaitable<> reload();
    // Tells of the numbers that a power loss has left out, if it has.
    aio::awaitable<> tell_recovered();
    // Logs and records what does not work, if anything.
    aio::awaitable<> tell_degraded();
    // Adds a daemon.* event to the history; `body` is the JSON of its members. False: it could
    // not be stored, which is logged.
    aio::awaitable<bool> record(
        std::string type, std::string body, base::wall_time when = base::wall_now());

    // --- trouble.cpp: the state cannot be written, or can be again
    void heed_store();
    aio::awaitable<> tell_trouble();
    aio::awaitable<> tell_end(trouble over);

    startup from_;
    listening at_;
    boost::asio::io_context io_;
    aio::executor strand_;
    aio::blocking_pool blocking_;
    std::unique_ptr<store::store> db_;
    store::retention retention_; // on strand_
    std::unique_ptr<model::client> model_;
    tools::registry tools_;
    tools::policy policy_;
    tools::command_environment commands_;
    jobs::environment jobs_;
    session::scheduler places_;
    session::hub hub_;
    session::current_settings settings_;
    session::environment shared_;
    session::core core_;
    status_report status_;
    api::server server_;

    boost::asio::signal_set signals_;
    aio::mailbox<std::string> store_news_; // why the state cannot be written; empty: it can
    std::string stop_reason_;              // the signal's name; empty: nobody has asked
    int exit_status_ = 0;
    aio::flag stop_asked_;
    aio::task life_;
    aio::task_group beside_; // last: uses all the others
};

} // namespace agentd::app
