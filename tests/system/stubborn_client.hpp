// A client that outlives its daemon: a call that brings no answer is made again, once the
// daemon has been found dead and started anew without fail points.
#pragma once

#include "tests/support/harness/world.hpp"
#include "tests/system/evidence.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace agentd::testing {

class stubborn_client {
public:
    // The world's daemon is not running yet. `before_restart` runs between a death and the
    // next start.
    explicit stubborn_client(
        world& w, std::function<void()> before_restart = [] {})
        : w_(w), before_restart_(std::move(before_restart))
    {}

    // Starts the daemon; again, without fail points, if it dies of one.
    void start();
    // An orderly stop; started again if it dies of a fail point meanwhile.
    void stop();
    // The answer, of whichever daemon gave it in the end.
    http_reply call(std::string_view method, const std::string& target, std::string_view body = {},
        const headers& with = {});
    js::object get(const std::string& target);
    js::object ended(const std::string& id);
    // Asks for the task until this holds.
    js::object await_task(
        const std::string& id, const std::function<bool(const js::object&)>& holds);
    // How often the daemon was killed by a fail point.
    [[nodiscard]] int deaths() const { return deaths_; }

private:
    void revive();

    world& w_;
    std::function<void()> before_restart_;
    int deaths_ = 0;
};

} // namespace agentd::testing
