// The words of a compaction: how the model is asked for a summary of the conversation, and
// what the conversation begins with after it. Pure; any thread.
#pragma once

#include "model/reply.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::session::compaction {

// The wish for a summary: a text block behind everything else.
[[nodiscard]] std::string_view instruction();

// A conversation too long to be sent, as one text: the first message and the newest ones,
// long texts and results shortened, each of their lines marked, in `most_bytes` or little more.
// `messages` are encoded ones.
[[nodiscard]] std::string digest(
    std::span<const model::bytes> messages, std::string_view pending, std::size_t most_bytes);

// The visible text of the reply that holds the summary.
[[nodiscard]] std::string text_of(const model::reply& reply);

// A job that goes on while the conversation begins anew.
struct live_job {
    std::string id, state, command;
};

struct beginning {
    std::string summary;
    std::string prompt; // of the task that is open and has been told of; empty: none
    std::vector<live_job> jobs;
};
// The encoded content of the new epoch's first message.
[[nodiscard]] std::string first_message(const beginning& what);

} // namespace agentd::session::compaction
