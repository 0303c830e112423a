// What all connections of the local API share. Made by the server, which outlives them.
// Members say themselves from which threads they may be used.
#pragma once

#include "aio/blocking_pool.hpp"
#include "api/census.hpp"
#include "api/options.hpp"
#include "api/status.hpp"
#include "session/event_hub.hpp"
#include "session/service.hpp"

#include <atomic>

namespace agentd::api {

// What the API answers from; all outlive the server.
struct parts {
    session::service* service;
    session::event_hub* events;
    const api::status* status;
    aio::blocking_pool* blocking;
};

struct context {
    context(const parts& p, const options& b) : from(p), bounds(b), clients(bounds) {}

    const parts from;
    const options bounds;
    census clients;
    std::atomic<bool> draining = false;
};

} // namespace agentd::api
