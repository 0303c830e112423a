// The calls of the local API, one function each (DESIGN §6); tasks.cpp, sessions.cpp,
// jobs.cpp, events.cpp and daemon.cpp have them. Each on its connection's strand; none
// throws but for cancellation.
#pragma once

#include "api/exchange.hpp"

namespace agentd::api {

using handler = aio::awaitable<response> (*)(exchange&);

aio::awaitable<response> submit_task(exchange& x);
aio::awaitable<response> list_tasks(exchange& x);
aio::awaitable<response> show_task(exchange& x);
aio::awaitable<response> wait_for_task(exchange& x);
aio::awaitable<response> cancel_task(exchange& x);
aio::awaitable<response> add_message(exchange& x);

aio::awaitable<response> list_sessions(exchange& x);
aio::awaitable<response> show_session(exchange& x);
aio::awaitable<response> list_messages(exchange& x);
aio::awaitable<response> export_session(exchange& x);
aio::awaitable<response> import_session(exchange& x);
aio::awaitable<response> delete_session(exchange& x);

aio::awaitable<response> list_jobs(exchange& x);
aio::awaitable<response> show_job(exchange& x);
aio::awaitable<response> show_output(exchange& x);
aio::awaitable<response> kill_job(exchange& x);
aio::awaitable<response> write_input(exchange& x);

aio::awaitable<response> show_events(exchange& x);

aio::awaitable<response> show_health(exchange& x);
aio::awaitable<response> show_info(exchange& x);
aio::awaitable<response> show_metrics(exchange& x);

} // namespace agentd::api
