#include "model/reply.hpp"

#include "proto/messages/encode.hpp"

namespace agentd::model {

std::string_view to_string(stop_reason value)
{
    switch (value) {
    case stop_reason::end_turn: return "end_turn";
    case stop_reason::tool_use: return "tool_use";
    case stop_reason::max_tokens: return "max_tokens";
    case stop_reason::stop_sequence: return "stop_sequence";
    case stop_reason::pause_turn: return "pause_turn";
    case stop_reason::refusal: return "refusal";
    case stop_reason::context_window_exceeded: return "model_context_window_exceeded";
    case stop_reason::other: return "";
    }
    return "";
}

usage billed_usage(const reply& what)
{
    usage all = what.usage;
    for (const auto& one : what.discarded) {
        all.input += one.used.input;
        all.output += one.used.output;
        all.cache_read += one.used.cache_read;
        all.cache_write += one.used.cache_write;
    }
    return all;
}

std::string history_content(const reply& what)
{
    std::vector<std::string> kept;
    for (const auto& piece : what.content) {
        if (piece.kind != block_kind::text || !proto::messages::is_blank(piece.text))
            kept.push_back(piece.raw);
    }
    return kept.empty() ? std::string{} : proto::messages::content_of(kept);
}

} // namespace agentd::model
