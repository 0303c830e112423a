#include "tests/support/model_bytes.hpp"

#include "proto/json/reader.hpp"
#include "proto/json/writer.hpp"

#include <fmt/format.h>

namespace agentd::testing {

namespace json = proto::json;

std::string sse(const std::vector<std::string>& events)
{
    std::string out;
    for (const auto& data : events) {
        const auto parsed = json::parse_object(data);
        out += fmt::format("event: {}\ndata: {}\n\n", parsed->string("type").value(), data);
    }
    return out;
}

std::string start_event()
{
    return R"({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":25,"output_tokens":1}}})";
}

std::string text_start(int index)
{
    return fmt::format(
        R"({{"type":"content_block_start","index":{},"content_block":{{"type":"text","text":""}}}})",
        index);
}

std::string text_delta(int index, std::string_view text)
{
    return fmt::format(
        R"({{"type":"content_block_delta","index":{},"delta":{{"type":"text_delta","text":{}}}}})",
        index, json::quoted(text));
}

std::string block_stop(int index)
{
    return fmt::format(R"({{"type":"content_block_stop","index":{}}})", index);
}

std::string ending(std::string_view stop_reason)
{
    return fmt::format(
        R"({{"type":"message_delta","delta":{{"stop_reason":"{}","stop_sequence":null}},"usage":{{"output_tokens":15}}}})",
        stop_reason);
}

std::string stop_event()
{
    return R"({"type":"message_stop"})";
}

std::string block_start(int index, std::string_view block)
{
    return fmt::format(
        R"({{"type":"content_block_start","index":{},"content_block":{}}})", index, block);
}

std::string block_delta(int index, std::string_view delta)
{
    return fmt::format(R"({{"type":"content_block_delta","index":{},"delta":{}}})", index, delta);
}

std::string tool_start(int index, std::string_view id, std::string_view name)
{
    return block_start(index,
        fmt::format(R"({{"type":"tool_use","id":"{}","name":"{}","input":{{}}}})", id, name));
}

std::string input_delta(int index, std::string_view partial_json)
{
    return block_delta(index,
        fmt::format(
            R"({{"type":"input_json_delta","partial_json":{}}})", json::quoted(partial_json)));
}

std::string stream_of(std::vector<std::string> events, std::string_view stop_reason)
{
    events.insert(events.begin(), start_event());
    events.push_back(ending(stop_reason));
    events.push_back(stop_event());
    return sse(events);
}

std::string text_stream(std::string_view text)
{
    return sse({start_event(), text_start(0), R"({"type":"ping"})", text_delta(0, text),
        block_stop(0), ending("end_turn"), stop_event()});
}

std::string stream_head(std::string_view more)
{
    return fmt::format(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nrequest-id: req_7\r\ntransfer-encoding: chunked\r\n{}\r\n",
        more);
}

std::string chunk(std::string_view bytes)
{
    return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

std::string last_chunk()
{
    return "0\r\n\r\n";
}

std::string streamed(std::string_view stream)
{
    return stream_head() + chunk(stream) + last_chunk();
}

std::string reply(int status, std::string_view type, std::string_view body, std::string_view fields)
{
    return fmt::format(
        "HTTP/1.1 {} some reason\r\ncontent-type: {}\r\n{}content-length: {}\r\n\r\n{}", status,
        type, fields, body.size(), body);
}

std::string api_error(int status, std::string_view type, std::string_view fields)
{
    return reply(status, "application/json",
        fmt::format(
            R"({{"type":"error","error":{{"type":"{}","message":"because"}},"request_id":"req_9"}})",
            type),
        fields);
}

byte_server::script answering(std::string bytes)
{
    return [bytes = std::move(bytes)](peer& with) {
        while (!with.read_request().empty())
            with.send(bytes);
    };
}

byte_server::script once(std::string bytes)
{
    return [bytes = std::move(bytes)](peer& with) {
        with.read_request();
        with.send(bytes);
    };
}

} // namespace agentd::testing
