#include "model/anthropic/probe_ticket.hpp"

#include "base/clock.hpp"
#include "model/anthropic/rate_headers.hpp"

#include <utility>

namespace agentd::model::anthropic {

probe_ticket::~probe_ticket()
{
    if (is_open_)
        origin::probe_ended(at_, model_, false);
}

void probe_ticket::on_head(const reply_head& head)
{
    const bool is_success = head.status >= 200 && head.status < 300;
    if (is_success && std::exchange(is_open_, false))
        origin::probe_ended(at_, model_, true);
    // With a 429 its retry-after counts, which is about the limit that was met.
    const auto spent = head.status == 429 ? std::nullopt : spent_for(head, base::wall_now());
    if (spent)
        origin::spent_until(at_, model_, base::mono_now() + *spent);
}

} // namespace agentd::model::anthropic
