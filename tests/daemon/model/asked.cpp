#include "tests/daemon/model/asked.hpp"

#include "base/clock.hpp"
#include "proto/messages/encode.hpp"
#include "tests/support/run_coro.hpp"

#include <doctest/doctest.h>

namespace agentd::testing {

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

asked from(byte_server::script script)
{
    const byte_server server{{std::move(script)}};
    return ask(options_for(server));
}

asked from_stream(std::string_view stream)
{
    return from(once(streamed(stream)));
}

void check_hello(const asked& got)
{
    REQUIRE_MESSAGE(got.outcome.has_value(), got.message());
    CHECK(got.text() == "Hello \u00e9\U0001F600");
    CHECK(got.shown == got.text());
    CHECK(got.outcome->stop == model::stop_reason::end_turn);
    CHECK(got.outcome->usage.input == 25);
    CHECK(got.outcome->usage.output == 15);
    CHECK(got.outcome->attempts == 1);
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
