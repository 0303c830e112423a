#include "base/slow_step.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"

namespace agentd::base {

slow_step::~slow_step()
{
    const auto took = elapsed_since(began_);
    if (took >= limits::slow_start_step)
        log::info("daemon.slow_start", {}, "{} took {} ms", what_, took.count());
}

} // namespace agentd::base
