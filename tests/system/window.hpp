// What the tests of long conversations share: a window of a few thousand tokens, replies that
// fill it, and the words by which a request for a summary is known.
#pragma once

#include "tests/system/evidence.hpp"

#include <doctest/doctest.h>

namespace agentd::testing {

inline constexpr std::string_view wish = "about to exceed the model's context window";
inline constexpr std::string_view record = "[agentd: what follows is the record of a conversation";
// A reply that counts so many tokens of input leaves no room in this window.
inline constexpr std::int64_t full = 5700;
inline constexpr const char* small_window =
    "context_window = 8000\ncompact_at = 0.7\nmax_tokens = 500\n";

inline js::object counting(std::int64_t input, js::object more = {})
{
    auto* reply = more.if_contains("reply");
    auto& members = reply != nullptr ? reply->as_object() : more["reply"].emplace_object();
    members["usage"] = {{"input_tokens", input}, {"output_tokens", 10}};
    return more;
}

inline js::object holding(std::string_view name, js::object more = {})
{
    auto* reply = more.if_contains("reply");
    auto& members = reply != nullptr ? reply->as_object() : more["reply"].emplace_object();
    members["hold"] = name;
    return more;
}

inline js::object ending_with(std::string_view stop_reason, js::object more = {})
{
    auto* reply = more.if_contains("reply");
    auto& members = reply != nullptr ? reply->as_object() : more["reply"].emplace_object();
    members["stop_reason"] = stop_reason;
    return more;
}

inline js::value bash(std::string_view command)
{
    return use("bash", {{"command", command}});
}

inline js::value refused_as(int status, std::string_view message)
{
    return {{"reply",
        {{"status", status},
            {"error", {{"type", "invalid_request_error"}, {"message", message}}}}}};
}

inline js::object last_event(world& w, const std::string& type)
{
    const auto all = w.events("&types=" + type);
    REQUIRE(!all.empty());
    return all.back();
}

inline std::size_t count_type(world& w, const std::string& type)
{
    return w.events("&types=" + type).size();
}

inline std::int64_t epoch_of(world& w, const std::string& task)
{
    return w.json(200, "GET", "/v1/sessions/" + session_of(w, task)).at("epoch").as_int64();
}

inline std::string error_of(const js::object& task)
{
    return task.at("error").is_object() ? std::string{task.at("error").at("type").as_string()}
                                        : std::string{};
}

// Two conversations: up to the wish for a summary, and after it.
inline std::string long_haul(std::vector<js::value> before, std::vector<js::value> after)
{
    return scenario({conversation("SUMMARY", std::move(after), {{"key", "phase-two"}}),
        conversation("long haul", std::move(before), {{"key", "phase-one"}})});
}

} // namespace agentd::testing
