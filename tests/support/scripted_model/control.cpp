// See control.hpp.
#include "control.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace agentd::testing {

namespace json = boost::json;

namespace {

constexpr std::string_view prefix = "/__control/";
constexpr std::uint64_t usual_wait_ms = 30'000;
constexpr std::uint64_t longest_wait_ms = 600'000;
constexpr std::size_t most_listed = 10'000;

wire_plan json_body(int status, const json::object& body)
{
    return plan_body(status, "application/json", json::serialize(body), "");
}

wire_plan not_found(const http_request& request)
{
    return plan_error(refusal(404, "no control call " + request.method + " " + request.path), "");
}

json::object list_requests(const recorder& records, const http_request& request)
{
    record_query query;
    query.conversation = query_value(request.query, "conversation").value_or("");
    query.path = query_value(request.query, "path").value_or("");
    query.after = query_number(request.query, "after", 0);
    query.limit = std::min<std::size_t>(query_number(request.query, "limit", 1000), most_listed);
    query.bodies = query_number(request.query, "bodies", 1) != 0;
    return records.list(query);
}

} // namespace

void server_counts::enter(std::atomic<std::int64_t>& now, std::atomic<std::int64_t>& most)
{
    auto value = now.fetch_add(1) + 1;
    auto seen = most.load();
    while (seen < value && !most.compare_exchange_weak(seen, value)) {
    }
}

control::control(director& decisions, recorder& records, holds& gates, server_counts& counts)
    : decisions_{decisions}, records_{records}, gates_{gates}, counts_{counts}
{
    records_.on_change([this] { changed_.ring(); });
    gates_.on_change([this] { changed_.ring(); });
}

bool control::owns(std::string_view path)
{
    return path.starts_with(prefix);
}

json::object control::status() const
{
    json::object out;
    out.emplace("requests", records_.requests(""));
    out.emplace("replies", records_.replies());
    out.emplace("violations", records_.violations());
    out.emplace("conversations", decisions_.conversations());
    out.emplace("connections", counts_.connections.load());
    out.emplace("open_connections", counts_.open.load());
    out.emplace("max_open_connections", counts_.most_open.load());
    out.emplace("active_streams", counts_.streams.load());
    out.emplace("max_concurrent_streams", counts_.most_streams.load());
    json::object held;
    for (const auto& [name, count] : gates_.all_held())
        held.emplace(name, count);
    out.emplace("held", std::move(held));
    return out;
}

asio::awaitable<wire_plan> control::wait(byte_stream& client, const http_request& request)
{
    auto conversation = query_value(request.query, "conversation").value_or("");
    auto held = query_value(request.query, "held").value_or("");
    auto requests = query_number(request.query, "requests", 0);
    auto replies = query_number(request.query, "replies", 0);
    auto count = query_number(request.query, "count", 1);
    auto limit =
        std::min(query_number(request.query, "timeout_ms", usual_wait_ms), longest_wait_ms);
    std::function<bool()> ready = [this, conversation, held, requests, replies, count] {
        return records_.requests(conversation) >= requests && records_.replies() >= replies &&
            (held.empty() || gates_.held(held) >= count);
    };
    auto deadline = std::chrono::steady_clock::now() +
        std::chrono::milliseconds{static_cast<std::int64_t>(limit)};
    auto reached = co_await changed_.wait_until(client, std::move(ready), deadline);
    auto body = status();
    body.emplace("reached", reached);
    co_return json_body(reached ? 200 : 408, body);
}

asio::awaitable<wire_plan> control::answer(byte_stream& client, const http_request& request)
{
    constexpr std::string_view release = "release/";
    auto call = std::string_view{request.path}.substr(prefix.size());
    bool reads = request.method == "GET";
    if (reads && call == "requests")
        co_return json_body(200, list_requests(records_, request));
    if (reads && call == "status")
        co_return json_body(200, status());
    if (reads && call == "wait") {
        auto waited = co_await wait(client, request);
        co_return waited;
    }
    if (request.method == "POST" && call.starts_with(release) && call.size() > release.size()) {
        gates_.release(percent_decoded(call.substr(release.size())));
        co_return json_body(200, status());
    }
    co_return not_found(request);
}

} // namespace agentd::testing
