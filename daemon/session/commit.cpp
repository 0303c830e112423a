#include "session/commit.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <fmt/format.h>

namespace agentd::session {

store::durability durability_of(store::step name)
{
    switch (name) {
    case store::step::submit_task:
    case store::step::add_message:
    case store::step::request_cancel:
    case store::step::delete_session:
    case store::step::import_session:
    case store::step::finish_task: return store::durability::power_loss;
    default: return store::durability::process_death;
    }
}

void throw_if_hopeless(const base::error& why, std::string_view what, int& tries)
{
    if (why.is(store::errc::closed))
        throw boost::system::system_error{boost::asio::error::operation_aborted};
    if (why.is(store::errc::failed) && ++tries >= limits::broken_step_tries)
        throw broken_step{fmt::format("cannot {}: {}", what, why.text)};
}

void tell_retry(environment& shared, std::string_view what, const base::error& why)
{
    if (shared.db.degraded().empty())
        log::warning("store.retry", {}, "cannot {}: {}", what, why.text);
    else
        log::debug("store.retry", {}, "cannot {}: {}", what, why.text);
}

} // namespace agentd::session
