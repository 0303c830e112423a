// The deadline of a request's stages: one coroutine watches it while the stages move it ahead.
// aio::with_deadline around each read would race two new coroutines per read; a stream has
// thousands. On the strand of the request.
#pragma once

#include "aio/awaitable.hpp"
#include "base/clock.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace agentd::model {

class patience {
public:
    explicit patience(const aio::executor& strand) : timer_(strand) {}

    // From now on: `span` for `stage`, a literal such as "waiting for the first byte".
    void allow(std::chrono::milliseconds span, std::string_view stage);
    // All stages together; 0: no limit.
    void allow_in_all(std::chrono::milliseconds span);

    // Goes on when a stage has taken too long; to be raced against the work. Returns early,
    // without meaning, when cancelled.
    [[nodiscard]] aio::awaitable<> run_out();
    // "SPAN ms passed STAGE".
    [[nodiscard]] std::string what_ran_out() const;

private:
    [[nodiscard]] base::mono_time until() const;

    boost::asio::steady_timer timer_;
    base::mono_time stage_until_ = base::mono_time::max();
    base::mono_time all_until_ = base::mono_time::max();
    std::chrono::milliseconds span_{0}, all_span_{0};
    std::string_view stage_;
};

} // namespace agentd::model
