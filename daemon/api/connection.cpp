#include "api/connection.hpp"

#include "api/exchange.hpp"
#include "api/form.hpp"
#include "api/http_reader.hpp"
#include "api/router.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <fmt/format.h>

#include <unistd.h>

namespace agentd::api {
namespace {

constexpr std::size_t request_id_digits = 10;

std::string new_request_id()
{
    return "r_" + base::random_base32(request_id_digits);
}

// The whole answer as bytes.
std::string answer_text(const response& what, const std::string& request_id, bool last, bool head)
{
    head_fields fields = what.fields;
    fields.emplace_back("Request-Id", request_id);
    if (last)
        fields.emplace_back("Connection", "close");
    const bool bodiless = what.status == 204;
    const auto length = bodiless ? std::nullopt : std::optional{what.body.size()};
    std::string text = head_text(what.status, what.content_type, length, fields);
    if (!head && !bodiless)
        text += what.body;
    return text;
}

aio::awaitable<response> routed(exchange& x)
{
    const auto found = find_route(x.asked.method, x.asked.path);
    x.id = found.id;
    if (found.answer != nullptr && !x.id.empty() && !is_id(x.id))
        co_return x.problem(base::error{session::errc::bad_id,
            "field \"id\": must be an id, or at least its first 4 characters"});
    if (found.answer != nullptr)
        co_return co_await found.answer(x);
    if (found.allow.empty())
        co_return x.problem(problems::unknown_path, "there is no such path");
    auto refusal = x.problem(problems::method_not_allowed,
        fmt::format("this path has {}, not {}", found.allow, x.asked.method));
    refusal.fields.emplace_back("Allow", found.allow);
    co_return refusal;
}

// The handler's answer; an exception of it becomes a 500, but for cancellation. After the head of
// a stream it only breaks that off.
aio::awaitable<response> answered(exchange& x)
{
    std::string failure;
    try {
        co_return co_await routed(x);
    } catch (const boost::system::system_error& e) {
        if (e.code() == boost::asio::error::operation_aborted)
            throw;
        failure = e.what();
    } catch (const std::exception& e) {
        failure = e.what();
    }
    log::error("api.failed", {}, "request {}: {}", x.request_id, failure);
    if (x.begun) {
        response cut_off;
        cut_off.streamed = true;
        cut_off.broken = true;
        co_return cut_off;
    }
    co_return x.problem(
        problems::internal, "an error of the daemon; its log has it under the request id");
}

// Who the client is decides once for all his requests.
struct admission {
    session::caller who;
    std::optional<problem_type> refused;
    std::string why;
};

class connection {
public:
    connection(context& all, transport& client, peer who)
        : all_(all), client_(client), peer_(std::move(who)), reader_(client, all_.bounds)
    {}

    aio::awaitable<> run()
    {
        auto admitted = co_await admit();
        for (;;) {
            auto got = co_await reader_.next();
            if (!got) {
                co_await refuse(got.error());
                co_return;
            }
            if (!*got)
                co_return;
            const auto next = co_await answer(**got, admitted);
            if (next == then::nothing)
                co_return;
            if (next == then::finish)
                break;
        }
        co_await client_.finish(all_.bounds.linger);
    }

private:
    aio::awaitable<admission> admit()
    {
        admission out;
        const auto rights = rights_of(peer_, all_.bounds);
        if (!rights) {
            out.refused = problems::forbidden;
            out.why = fmt::format("uid {} may not use this daemon", peer_.uid);
            co_return out;
        }
        out.who = *rights;
        auto look = [pid = peer_.pid] { return is_from_job(pid, ::getpid()); };
        const bool job = co_await all_.from.blocking->run(std::move(look));
        if (job) {
            out.refused = problems::from_job;
            out.why = "a command of this daemon may not use its socket";
        }
        co_return out;
    }

    // What follows an answer: the next request, an orderly end, or nothing: the client is gone.
    enum class then { go_on, finish, nothing };

    aio::awaitable<then> answer(const request& asked, const admission& admitted)
    {
        const auto begun = base::mono_now();
        exchange x{all_, client_, asked, admitted.who, {}, new_request_id()};
        x.body = &reader_;
        response what;
        if (admitted.refused)
            what = x.problem(*admitted.refused, admitted.why);
        else {
            auto made = co_await answered(x);
            what = std::move(made);
        }
        const bool last =
            !asked.keep_alive || (what.streamed && !asked.chunks) || reader_.body_left();
        bool sent = !what.broken;
        if (!what.streamed) {
            const auto text = answer_text(what, x.request_id, last, asked.method == "HEAD");
            const auto written = co_await client_.write(text);
            sent = written.has_value();
        }
        all_.clients.count_answer(what.status);
        log::debug("api.request", {}, "{} {} {} {} in {} ms", x.request_id, asked.method,
            asked.raw_path, what.status, base::elapsed_since(begun).count());
        if (!sent)
            co_return then::nothing;
        co_return last ? then::finish : then::go_on;
    }

    // What is no request gets an answer, too, where anybody is left to read it.
    aio::awaitable<> refuse(const base::error& why)
    {
        if (why.is(errc::closed) || why.is(errc::stalled))
            co_return;
        const std::string id = new_request_id();
        const auto what = problem_response(why, id);
        const auto text = answer_text(what, id, true, reader_.failed_on_head());
        all_.clients.count_answer(what.status);
        const auto sent = co_await client_.write(text);
        if (sent)
            co_await client_.finish(all_.bounds.linger);
    }

    context& all_;
    transport& client_;
    peer peer_;
    http_reader reader_;
};

} // namespace

aio::awaitable<> serve(context& all, base::unique_fd connected, peer who, census::seat place)
{
    const auto held = std::move(place); // given back after the socket is closed
    const auto strand = co_await boost::asio::this_coro::executor;
    transport client{strand, std::move(connected), all.bounds.write_stall};
    connection session{all, client, std::move(who)};
    co_await session.run();
}

std::string turned_away_text()
{
    const std::string id = new_request_id();
    const auto what = problem_response(
        problems::too_many_connections, "too many connections are open: try again later", id);
    return answer_text(what, id, true, false);
}

aio::awaitable<> turn_away(context& all, base::unique_fd connected, census::seat place)
{
    const auto held = std::move(place);
    const auto strand = co_await boost::asio::this_coro::executor;
    transport client{strand, std::move(connected), all.bounds.linger};
    const std::string text = turned_away_text();
    const auto sent = co_await client.write(text);
    if (sent)
        co_await client.finish(all.bounds.linger);
}

} // namespace agentd::api
