#include "store/thread.hpp"

#include "base/blocked_signals.hpp"

#include <pthread.h>

#include <utility>

namespace agentd::store {

std::jthread start_thread(const std::string& name, std::function<void()> body)
{
    const base::blocked_signals inherited;
    std::jthread made{std::move(body)};
    pthread_setname_np(made.native_handle(), name.c_str());
    return made;
}

} // namespace agentd::store
