// Something to be done however a scope is left. Any thread.
#pragma once

#include <utility>

namespace agentd::base {

// Calls `leave`, which does not throw, when it dies.
template <class Leave>
class at_exit {
public:
    explicit at_exit(Leave leave) : leave_(std::move(leave)) {}
    at_exit(const at_exit&) = delete;
    at_exit& operator=(const at_exit&) = delete;
    ~at_exit() { leave_(); }

private:
    Leave leave_;
};

} // namespace agentd::base
