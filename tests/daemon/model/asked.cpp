#include "tests/daemon/model/asked.hpp"

#include "base/clock.hpp"
#include "proto/json/reader.hpp"
#include "proto/json/writer.hpp"
#include "proto/messages/encode.hpp"
#include "tests/support/run_coro.hpp"

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

model::request simple_request(std::size_t text_bytes)
{
    const std::vector<std::string> blocks{
        proto::messages::text_block(std::string(text_bytes, 'x'))};
    model::request what;
    what.model = "claude-test";
    what.messages.push_back(std::make_shared<const std::string>(
        proto::messages::user_message(proto::messages::content_of(blocks))));
    return what;
}

model::options options_for(const byte_server& server)
{
    using namespace std::chrono_literals;
    model::options with;
    with.base_url = server.url();
    with.key.is = model::credential::kind::api_key;
    with.key.value = "sk-canary-4711";
    with.retry_attempts = 1;
    with.limits.connect = 5s;
    with.limits.first_byte = 5s;
    with.limits.idle = 5s;
    return with;
}

namespace {

class listener final : public model::progress {
public:
    explicit listener(asked& into) : into_(into) {}
    void on_text(std::int64_t attempt, std::size_t, std::string_view text) override
    {
        if (std::exchange(attempt_, attempt) != attempt)
            into_.shown.clear();
        into_.shown += text;
    }
    void on_retry(std::int64_t, const model::failure& why, std::chrono::milliseconds delay) override
    {
        into_.retries.emplace_back(why, delay);
    }
    void on_fallback(std::string_view from, std::string_view to, const model::failure&) override
    {
        into_.fallbacks.emplace_back(from, to);
    }

private:
    asked& into_;
    std::int64_t attempt_ = 1;
};

aio::awaitable<> ask_once(model::client& client, model::request what, asked& into)
{
    listener told{into};
    const auto began = base::mono_now();
    auto got = co_await client.ask(std::move(what), told);
    into.outcome = std::move(got);
    into.took = base::elapsed_since(began);
}

aio::awaitable<> ask_all(
    aio::executor io, model::options with, model::request what, std::vector<asked>& into)
{
    const auto client = model::make_client(io, std::move(with));
    for (auto& one : into)
        co_await ask_once(*client, what, one);
}

} // namespace

std::vector<asked> ask_in_turn(const model::options& with, std::size_t times)
{
    std::vector<asked> all(times);
    run_coro([&](aio::executor io) { return ask_all(io, with, simple_request(), all); });
    return all;
}

asked ask(const model::options& with, model::request what)
{
    std::vector<asked> all(1);
    run_coro([&](aio::executor io) { return ask_all(io, with, std::move(what), all); });
    return std::move(all.front());
}

std::string asked::text() const
{
    std::string all;
    if (outcome) {
        for (const auto& block : outcome->content)
            all += block.text;
    }
    return all;
}

std::string asked::type() const
{
    return outcome ? std::string{} : outcome.error().type;
}

std::string asked::message() const
{
    return outcome ? std::string{} : outcome.error().message;
}

} // namespace agentd::testing
