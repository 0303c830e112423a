// A request of which all is noted that it told, for tests with many at once. On the strand of
// the request.
#pragma once

#include "aio/awaitable.hpp"
#include "base/clock.hpp"
#include "tests/daemon/model/asked.hpp"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace agentd::testing {

// Hears what one request tells.
class ear final : public model::progress {
public:
    void on_text(std::int64_t, std::size_t, std::string_view) override {}
    void on_retry(
        std::int64_t attempt, const model::failure& why, std::chrono::milliseconds delay) override
    {
        retries.push_back({attempt, why, delay});
    }
    void on_fallback(std::string_view, std::string_view, const model::failure&) override {}

    struct retry {
        std::int64_t attempt;
        model::failure why;
        std::chrono::milliseconds delay;
    };
    std::vector<retry> retries;
};

struct one_ask {
    ear heard;
    bool ended = false;
    model::outcome outcome;
};

inline aio::awaitable<> ask_as(model::client& client, std::string model, one_ask& into)
{
    auto what = simple_request();
    what.model = std::move(model);
    auto got = co_await client.ask(std::move(what), into.heard);
    into.outcome = std::move(got);
    into.ended = true;
}

// For a header: the time in `span`.
inline std::string rfc3339_in(std::chrono::milliseconds span)
{
    return base::to_rfc3339(base::wall_now() + span);
}

} // namespace agentd::testing
