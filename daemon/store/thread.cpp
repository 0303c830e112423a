#include "store/thread.hpp"

#include <pthread.h>

#include <csignal>
#include <utility>

namespace agentd::store {

std::jthread start_thread(const std::string& name, std::function<void()> body)
{
    // The mask is inherited: set around the start, so that no signal finds the thread open.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::jthread made{std::move(body)};
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_setname_np(made.native_handle(), name.c_str());
    return made;
}

} // namespace agentd::store
