// What the scripted daemon of agentctl's tests answers with, and what they look at in requests.
#pragma once

#include "tests/daemon/ctl/unix_server.hpp"

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace agentd::testing {

inline std::string task_json(
    std::string_view id, std::string_view state, std::string_view extra = "")
{
    return fmt::format(
        R"({{"id":"{}","session_id":"s_aaaaaaaaaa","owner_uid":0,"state":"{}","prompt":"do it",)"
        R"("result":null,"result_turn":null,"error":null,"stop_reason":"","model":"m","labels":{{}},)"
        R"("priority":0,"jobs_at_end":"wait","cancel_requested":false,"turns":2,)"
        R"("usage":{{"input":1,"output":2,"cache_read":0,"cache_write":0}},"cost_usd":0.5,)"
        R"("created_at":"2026-11-20T07:37:09.123Z","started_at":null,"ended_at":null{}}})",
        id, state, extra);
}

inline std::string with_result(std::string text, std::string_view from, std::string_view to)
{
    text.replace(text.find(from), from.size(), to);
    return text;
}

inline std::string event_json(int seq, std::string_view type, std::string_view task)
{
    return fmt::format(
        R"({{"seq":{},"time":"2026-11-20T07:37:09.123Z","type":"{}","task_id":"{}"}})", seq, type,
        task);
}

inline std::string events_of(std::initializer_list<std::string> lines)
{
    std::string out;
    for (const auto& line : lines)
        out += chunk(line + "\n");
    return out;
}

inline const std::string info =
    http_answer(200, R"({"name":"agentd","shared":false,"workspace_roots":[]})");

inline std::string body_of(const std::string& request)
{
    return request.substr(request.find("\r\n\r\n") + 4);
}

inline std::string line_of(const std::string& request)
{
    return request.substr(0, request.find(" HTTP/"));
}

inline std::string header_of(const std::string& request, const std::string& name)
{
    const auto at = request.find(name + ": ");
    if (at == std::string::npos)
        return {};
    const auto begin = at + name.size() + 2;
    return request.substr(begin, request.find("\r\n", begin) - begin);
}

} // namespace agentd::testing
