#include "model/anthropic/probe_ticket.hpp"

#include "base/clock.hpp"
#include "model/anthropic/rate_headers.hpp"

namespace agentd::model::anthropic {

probe_ticket::~probe_ticket()
{
    if (is_open_)
        origin::probe_ended(at_, model_, false);
}

void probe_ticket::on_head(const reply_head& head)
{
    const bool is_success = head.status >= 200 && head.status < 300;
    const bool is_limit = head.status == 429; // its own hold follows, which ends the probe
    if (is_open_ && (is_success || is_limit)) {
        is_open_ = false;
        if (is_success)
            origin::probe_ended(at_, model_, true);
    }
    // With a 429 its retry-after counts, which is about the limit that was met.
    const auto spent = is_limit ? std::nullopt : spent_for(head, base::wall_now());
    if (spent)
        origin::spent_until(at_, model_, base::mono_now() + *spent);
}

} // namespace agentd::model::anthropic
