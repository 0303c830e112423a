#include "model/anthropic/translate.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace agentd::model::anthropic {
namespace {

namespace messages = proto::messages;

stop_reason to_stop(std::string_view word)
{
    using enum stop_reason;
    for (const auto known : {end_turn, tool_use, max_tokens, stop_sequence, pause_turn, refusal,
             context_window_exceeded}) {
        if (word == to_string(known))
            return known;
    }
    return other;
}

block_kind to_kind(messages::block_kind from)
{
    switch (from) {
    case messages::block_kind::text: return block_kind::text;
    case messages::block_kind::tool_use: return block_kind::tool_use;
    case messages::block_kind::thinking: return block_kind::thinking;
    case messages::block_kind::other: return block_kind::other;
    }
    return block_kind::other;
}

input_state to_state(messages::input_state from)
{
    switch (from) {
    case messages::input_state::complete: return input_state::complete;
    case messages::input_state::cut_off: return input_state::cut_off;
    case messages::input_state::invalid: return input_state::invalid;
    }
    return input_state::invalid;
}

block to_block(messages::block&& from)
{
    block made;
    made.kind = to_kind(from.kind);
    made.raw = std::move(from.raw);
    made.text = std::move(from.text);
    made.tool_id = std::move(from.id);
    made.tool_name = std::move(from.name);
    made.input = std::move(from.input);
    made.input_is = to_state(from.input_is);
    return made;
}

} // namespace

reply to_reply(messages::reply&& from)
{
    reply made;
    made.content.reserve(from.content.size());
    for (auto& piece : from.content)
        made.content.push_back(to_block(std::move(piece)));
    made.stop = to_stop(from.stop_reason);
    made.refusal_explanation = std::move(from.refusal_explanation);
    made.usage = {.input = from.usage.input.value_or(0),
        .output = from.usage.output.value_or(0),
        .cache_read = from.usage.cache_read.value_or(0),
        .cache_write = from.usage.cache_write.value_or(0)};
    made.model = std::move(from.model);
    made.replayable = from.replayable;
    return made;
}

std::string error_type(int status, std::string_view told)
{
    if (status == 413)
        return "request_too_large"; // the CDN's, whatever its body
    if (!told.empty() && told != "error")
        return std::string{told};
    switch (status) {
    case 401: return "authentication_error";
    case 402: return "billing_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 408:
    case 504: return "timeout_error";
    case 409: return "conflict_error";
    case 429: return "rate_limit_error";
    case 529: return "overloaded_error";
    default: break;
    }
    if (status >= 500)
        return "api_error";
    return status >= 400 ? "invalid_request_error" : "protocol_error";
}

bool is_too_long(int status, std::string_view type, const messages::server_error& told)
{
    if (status == 413 || type == "request_too_large")
        return true;
    // There is no code for the window. The first two are the API's words, the others those of
    // compatible servers (OpenAI's own, vLLM, llama.cpp).
    constexpr std::array words = {std::string_view{"prompt is too long"},
        std::string_view{"exceed context limit"}, std::string_view{"maximum context length"},
        std::string_view{"context_length_exceeded"},
        std::string_view{"exceeds the available context size"}};
    return status == 400 && std::ranges::any_of(words, [&told](std::string_view part) {
        return told.message.find(part) != std::string::npos ||
            told.code.find(part) != std::string::npos;
    });
}

} // namespace agentd::model::anthropic
