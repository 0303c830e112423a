// What the tests of replies share: a stream as text, put through parser, decoder, accumulator.
#pragma once

#include "proto/messages/accumulator.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::testing {

// How a stream ended and what came of it.
struct outcome {
    std::optional<proto::messages::reply> reply;
    std::optional<proto::messages::server_error> failed;
    std::string error; // of the protocol
    std::string shown; // all visible text, in order of arrival
    std::vector<std::string> remarks;
};

// Events as the wire has them, one per string: `name` from the JSON's type.
[[nodiscard]] outcome play(const std::vector<std::string>& events);

// The usual frame around blocks.
inline constexpr std::string_view start =
    R"({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":25,"cache_read_input_tokens":3,"output_tokens":1}}})";
[[nodiscard]] std::string begin(int index, std::string_view json);
[[nodiscard]] std::string delta(int index, std::string_view json);
[[nodiscard]] std::string stop(int index);
[[nodiscard]] std::string text_delta(int index, std::string_view text);
[[nodiscard]] std::string input_delta(int index, std::string_view partial);
[[nodiscard]] std::string ending(std::string_view stop_reason);
inline constexpr std::string_view end_of_message = R"({"type":"message_stop"})";
inline constexpr std::string_view text_block_start = R"({"type":"text","text":""})";

} // namespace agentd::testing
