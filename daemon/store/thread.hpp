// A thread of the store: named, without signals (they are the main thread's), joined at its
// end. Any thread.
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace agentd::store {

// `name` has at most 15 characters.
[[nodiscard]] std::jthread start_thread(const std::string& name, std::function<void()> body);

} // namespace agentd::store
