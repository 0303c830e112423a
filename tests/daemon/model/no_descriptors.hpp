// A process that is out of descriptors, for as long as a test wants it so.
#pragma once

#include <sys/resource.h>

namespace agentd::testing {

// While it lives, the process gets no further descriptor.
class no_descriptors {
public:
    no_descriptors()
    {
        ::getrlimit(RLIMIT_NOFILE, &old_);
        const rlimit none{.rlim_cur = 0, .rlim_max = old_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &none);
    }
    ~no_descriptors() { ::setrlimit(RLIMIT_NOFILE, &old_); }
    no_descriptors(const no_descriptors&) = delete;
    no_descriptors& operator=(const no_descriptors&) = delete;

private:
    rlimit old_{};
};

} // namespace agentd::testing
