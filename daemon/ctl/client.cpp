#include "ctl/client.hpp"

#include "base/clock.hpp"
#include "base/limits.hpp"

#include <fmt/format.h>

namespace agentd::ctl {

client::client(std::string socket, std::function<void(std::string)> talk)
    : socket_(std::move(socket)), talk_(std::move(talk))
{}

time_limit client::limits_patience()
{
    return limits::client_reply_deadline;
}

bool client::passes(const base::error& why, bool broke_before) const
{
    if (why.is(errc::lost))
        return true;
    // A daemon that restarts is first not there, then starting; one never seen is just not there.
    if (why.is(errc::unreachable))
        return contacted_ || broke_before;
    return why.is(errc::refused) && broke_before;
}

void client::tell(const base::error& why)
{
    if (!std::exchange(told_, true))
        talk_(why.text + "; trying again");
}

aio::awaitable<base::result<reply>> client::call(http_request what, time_limit patience)
{
    const auto until = base::mono_now() + limits::client_reconnect_for;
    bool broke = false;
    bool sent = false; // once already, and its answer lost
    for (;;) {
        auto answer = co_await try_call(what, patience);
        if (answer) {
            told_ = false;
            co_return answer;
        }
        if (sent && what.method == "DELETE" && answer.error().is(errc::not_found))
            co_return reply{}; // the one before has done it
        if (!passes(answer.error(), broke) || base::mono_now() >= until)
            co_return answer;
        if (what.once && answer.error().is(errc::lost))
            co_return answer;
        sent = sent || answer.error().is(errc::lost);
        tell(answer.error());
        broke = true;
        co_await aio::sleep_for(limits::client_reconnect_pause);
    }
}

aio::awaitable<base::result<proto::json::document>> client::ask(
    http_request what, time_limit patience)
{
    auto answer = co_await call(std::move(what), patience);
    if (!answer)
        co_return std::unexpected(std::move(answer).error());
    auto body = proto::json::parse(answer->body);
    if (!body || !body->root().is(proto::json::kind::object))
        co_return std::unexpected(
            base::error{errc::daemon_error, "the daemon's answer is no JSON object"});
    co_return std::move(*body);
}

aio::awaitable<base::result<reply>> client::try_call(http_request what, time_limit patience)
{
    auto connection = std::exchange(kept_, nullptr);
    if (!connection) {
        auto opened = co_await http_connection::open(socket_);
        if (!opened)
            co_return std::unexpected(std::move(opened).error());
        connection = std::move(*opened);
    }
    auto head = co_await connection->start(std::move(what), patience);
    if (!head)
        co_return std::unexpected(std::move(head).error());
    auto body = co_await connection->read_all(limits::client_reply_deadline);
    if (!body)
        co_return std::unexpected(std::move(body).error());
    contacted_ = true;
    if (connection->reusable())
        kept_ = std::move(connection);
    if (head->status >= 300)
        co_return std::unexpected(error_of(head->status, *body));
    reply answer;
    answer.head = std::move(*head);
    answer.body = std::move(*body);
    co_return answer;
}

aio::awaitable<base::result<stream>> client::open(http_request what)
{
    const auto until = base::mono_now() + limits::client_reconnect_for;
    bool broke = false;
    for (;;) {
        auto opened = co_await try_open(what);
        if (opened) {
            told_ = false;
            co_return opened;
        }
        if (!passes(opened.error(), broke) || base::mono_now() >= until)
            co_return opened;
        tell(opened.error());
        broke = true;
        co_await aio::sleep_for(limits::client_reconnect_pause);
    }
}

aio::awaitable<base::result<stream>> client::try_open(http_request what)
{
    auto connection = co_await http_connection::open(socket_);
    if (!connection)
        co_return std::unexpected(std::move(connection).error());
    auto head = co_await (*connection)->start(std::move(what), limits::client_reply_deadline);
    if (!head)
        co_return std::unexpected(std::move(head).error());
    contacted_ = true;
    if (head->status >= 300) {
        auto body = co_await (*connection)->read_all(limits::client_reply_deadline);
        if (!body)
            co_return std::unexpected(std::move(body).error());
        co_return std::unexpected(error_of(head->status, *body));
    }
    stream answer;
    answer.connection = std::move(*connection);
    answer.head = std::move(*head);
    co_return answer;
}

base::error error_of(unsigned status, const std::string& body)
{
    const auto why = from_status(status);
    const auto problem = proto::json::parse(body);
    if (!problem || !problem->root().is(proto::json::kind::object))
        return {why, fmt::format("the daemon answered {}", status)};
    const auto& root = problem->root();
    const auto* detail = root.find_string("detail");
    const auto* title = root.find_string("title");
    std::string text = detail != nullptr && !detail->empty() ? *detail
        : title != nullptr                                   ? *title
                           : fmt::format("the daemon answered {}", status);
    if (const auto* candidates = root.find("candidates"); candidates != nullptr)
        for (const auto& one : candidates->items())
            if (one.as_string() != nullptr)
                text += "\n  " + *one.as_string();
    if (const auto* id = root.find_string("request_id"); id != nullptr && status >= 500)
        text += fmt::format(" (request {})", *id);
    return {why, std::move(text)};
}

std::string url_escape(std::string_view text)
{
    constexpr std::string_view plain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    std::string out;
    for (const char c : text) {
        if (plain.find(c) != std::string_view::npos)
            out.push_back(c);
        else
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

void query::add(std::string_view name, std::string_view value)
{
    text_ += text_.empty() ? '?' : '&';
    text_.append(name).append("=").append(url_escape(value));
}

} // namespace agentd::ctl
