// One request being answered: what a handler gets. Lives in the connection's coroutine, on
// its strand.
#pragma once

#include "api/context.hpp"
#include "api/problem.hpp"
#include "api/request.hpp"
#include "api/response.hpp"
#include "api/transport.hpp"
#include "session/caller.hpp"

#include <string>

namespace agentd::api {

struct exchange {
    context& all;
    transport& client;
    const request& asked;
    session::caller who;
    std::string id;         // the {id} of the path; empty: it has none
    std::string request_id; // r_...

    [[nodiscard]] session::service& service() const { return *all.from.service; }
    [[nodiscard]] session::event_hub& events() const { return *all.from.events; }

    [[nodiscard]] response problem(const base::error& why) const
    {
        return problem_response(why, request_id);
    }
    [[nodiscard]] response problem(const problem_type& type, std::string detail) const
    {
        return problem_response(type, std::move(detail), request_id);
    }
    // A stream as the answer; its head fields begin with these.
    [[nodiscard]] body_stream stream() const { return {client, asked.chunks}; }
    [[nodiscard]] head_fields stream_fields() const
    {
        head_fields fields;
        fields.emplace_back("Request-Id", request_id);
        if (!asked.keep_alive || !asked.chunks)
            fields.emplace_back("Connection", "close");
        return fields;
    }
};

// How a streamed answer ended: `broken` when the client did not get all of it.
[[nodiscard]] inline response streamed(const base::result<>& outcome)
{
    response done;
    done.streamed = true;
    done.broken = !outcome.has_value();
    return done;
}

} // namespace agentd::api
