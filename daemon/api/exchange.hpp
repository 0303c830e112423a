// One request being answered: what a handler gets. Lives in the connection's coroutine, on
// its strand.
#pragma once

#include "api/context.hpp"
#include "api/http_reader.hpp"
#include "api/problem.hpp"
#include "api/request.hpp"
#include "api/response.hpp"
#include "api/transport.hpp"
#include "session/caller.hpp"

#include <string>

namespace agentd::api {

// How a streamed answer ended: `broken` when the client did not get all of it.
[[nodiscard]] inline response streamed(const base::result<>& outcome)
{
    response done;
    done.streamed = true;
    done.broken = !outcome.has_value();
    return done;
}

struct exchange {
    context& all;
    transport& client;
    const request& asked;
    session::caller who;
    std::string id;              // the {id} of the path; empty: it has none
    std::string request_id;      // r_...
    bool begun = false;          // a stream's head has gone out: no other answer can
    http_reader* body = nullptr; // of a request that is read in pieces

    [[nodiscard]] session::service& service() const { return *all.from.service; }
    [[nodiscard]] session::event_hub& events() const { return *all.from.events; }

    // A client that is gone has nobody left to answer: that is no problem of the daemon's.
    [[nodiscard]] response problem(const base::error& why) const
    {
        if (why.is(errc::closed) || why.is(errc::stalled))
            return streamed(std::unexpected(why));
        return problem_response(why, request_id);
    }
    [[nodiscard]] response problem(const problem_type& type, std::string detail) const
    {
        return problem_response(type, std::move(detail), request_id);
    }
    // A stream as the answer; its head fields begin with these.
    [[nodiscard]] body_stream stream() { return {client, asked.chunks, begun}; }
    [[nodiscard]] head_fields stream_fields() const
    {
        head_fields fields;
        fields.emplace_back("Request-Id", request_id);
        if (!asked.keep_alive || !asked.chunks)
            fields.emplace_back("Connection", "close");
        return fields;
    }
};

} // namespace agentd::api
