#include "session/commit.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

namespace agentd::session {

store::durability durability_of(store::step name)
{
    switch (name) {
    case store::step::submit_task:
    case store::step::add_message:
    case store::step::request_cancel:
    case store::step::delete_session:
    case store::step::finish_task: return store::durability::power_loss;
    default: return store::durability::process_death;
    }
}

void throw_if_closed(const base::error& why)
{
    if (why.is(store::errc::closed))
        throw boost::system::system_error{boost::asio::error::operation_aborted};
}

} // namespace agentd::session
