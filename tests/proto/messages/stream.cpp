#include "tests/proto/messages/stream.hpp"

#include "proto/json/writer.hpp"

#include <utility>

namespace agentd::testing {

namespace messages = proto::messages;

outcome play(const std::vector<std::string>& events)
{
    outcome end;
    messages::accumulator sum;
    for (const auto& data : events) {
        auto event = messages::decode("", data);
        if (!event) {
            end.error = event.error().text;
            break;
        }
        const auto step = sum.on(std::move(*event));
        if (!step) {
            end.error = step.error().text;
            break;
        }
        if (const auto* piece = std::get_if<messages::accumulator::text_piece>(&*step))
            end.shown += piece->text;
        if (const auto* failed = std::get_if<messages::server_error>(&*step))
            end.failed = *failed;
        if (std::holds_alternative<messages::accumulator::complete>(*step))
            end.reply = sum.take();
        if (end.failed || end.reply)
            break;
    }
    end.remarks = sum.remarks();
    return end;
}

namespace {

std::string indexed(
    std::string_view type, int index, std::string_view member, std::string_view json)
{
    std::string out;
    proto::json::object_writer event{out};
    event.member("type", type).member("index", index);
    if (!member.empty())
        event.raw(member, json);
    event.close();
    return out;
}

} // namespace

std::string begin(int index, std::string_view json)
{
    return indexed("content_block_start", index, "content_block", json);
}

std::string delta(int index, std::string_view json)
{
    return indexed("content_block_delta", index, "delta", json);
}

std::string stop(int index)
{
    return indexed("content_block_stop", index, "", "");
}

std::string text_delta(int index, std::string_view text)
{
    return delta(index, R"({"type":"text_delta","text":)" + proto::json::quoted(text) + "}");
}

std::string input_delta(int index, std::string_view partial)
{
    return delta(index,
        R"({"type":"input_json_delta","partial_json":)" + proto::json::quoted(partial) + "}");
}

std::string ending(std::string_view stop_reason)
{
    return R"({"type":"message_delta","delta":{"stop_reason":)" + proto::json::quoted(stop_reason) +
        R"(,"stop_sequence":null},"usage":{"output_tokens":15}})";
}

} // namespace agentd::testing
