// What a work hears that a queue does not take. Any thread.
#pragma once

#include "base/error.hpp"
#include "store/store.hpp"

namespace agentd::store {

template <class Refusal>
[[nodiscard]] base::error refusal_error(Refusal why)
{
    if (why == Refusal::closed)
        return {errc::closed, "cannot use the state: it is being closed"};
    return {errc::overloaded, "cannot use the state: too many requests wait for the disk"};
}

} // namespace agentd::store
