// strace over a running daemon: it makes chosen system calls fail (strace --inject) in chosen
// threads, from when it is attached until it is let go.
#pragma once

#include "tests/support/harness/process.hpp"

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

namespace agentd::testing {

// Whose calls fail. strace counts (`when=`) for each of them by itself.
enum class traced {
    loop,    // the thread of the daemon that supervises; no child
    pool,    // those beside it that launch and work on files
    store,   // those that write the state
    children // every thread, and whatever is born
};

struct faults {
    std::vector<std::string> inject; // as strace's --inject takes it: "pipe2:error=EMFILE:when=1"
    std::vector<std::string> paths;  // of files that the calls have to be about; none: any
    traced whose = traced::loop;
};

class tracer {
public:
    // Goes on when it is attached. Not attached afterwards: strace cannot, see refusal().
    tracer(pid_t daemon, const faults& what, std::string log_file);

    [[nodiscard]] const std::string& refusal() const { return refusal_; }
    // The calls that were made to fail until now, a line each, as strace prints them.
    [[nodiscard]] std::string failed() const;
    // Lets go of everybody.
    void detach();

private:
    std::string log_file_;
    std::unique_ptr<process> strace_;
    std::string refusal_;
};

} // namespace agentd::testing
