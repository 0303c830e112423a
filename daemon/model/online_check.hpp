// `agentd --check-config --online`: is there a server, does it take the credential, does it know
// the models, would it take a request? Asked over the way that requests go (proxy, TLS, deadlines)
// with the calls that cost nothing. On the caller's strand.
#pragma once

#include "aio/awaitable.hpp"
#include "base/error.hpp"
#include "model/options.hpp"

#include <string>
#include <vector>

namespace agentd::model {

// A request as a session would begin with it, to be tried without being answered.
struct online_question {
    std::vector<std::string> models; // that are configured; each is asked for
    bytes system;                    // encoded arrays, as of a request
    bytes tools;
};

// One line that says what works, or the error: one line that says what does not, and as far as
// it is known, why. Never a credential. Bounded: limits::online_check_deadline in all, one
// attempt for each question. Errors: bad_options, timed_out (aio). Throws operation_aborted.
[[nodiscard]] aio::awaitable<base::result<std::string>> check_online(
    aio::executor io, options with, online_question what);

} // namespace agentd::model
