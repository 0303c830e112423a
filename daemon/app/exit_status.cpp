#include "app/exit_status.hpp"

#include "app/errc.hpp"
#include "store/store.hpp"

namespace agentd::app {

int exit_status_of(const base::error& why)
{
    if (why.is(errc::bad_config))
        return exit_usage;
    if (why.is(store::errc::newer))
        return exit_newer;
    if (why.is(store::errc::corrupt))
        return exit_damaged;
    return exit_failure;
}

} // namespace agentd::app
