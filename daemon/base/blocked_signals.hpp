// All signals blocked in one thread as long as this lives: threads that are started meanwhile
// inherit that (pthread_sigmask(3)), so that signals find the threads that wait for them and wake
// no others. Of the thread that made it.
#pragma once

#include <pthread.h>

#include <csignal>

namespace agentd::base {

class blocked_signals {
public:
    blocked_signals()
    {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~blocked_signals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    blocked_signals(const blocked_signals&) = delete;
    blocked_signals& operator=(const blocked_signals&) = delete;

private:
    sigset_t before_;
};

} // namespace agentd::base
