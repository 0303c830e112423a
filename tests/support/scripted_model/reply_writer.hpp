// Carries out a wire plan: waits, writes, holds, stalls, cuts. On the connection's strand.
#pragma once

#include "bell.hpp"
#include "byte_stream.hpp"
#include "director.hpp"
#include "wire_plan.hpp"

#include <boost/asio/awaitable.hpp>

namespace agentd::testing {

/// Writes a reply. All three must outlive the call; the caller awaits it.
asio::awaitable<reply_end> write_reply(byte_stream& to, const wire_plan& plan, holds& gates);

} // namespace agentd::testing
