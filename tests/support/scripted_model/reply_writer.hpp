// Carries out a wire plan: waits, writes, holds, stalls, cuts. On the connection's strand.
#pragma once

#include "bell.hpp"
#include "byte_stream.hpp"
#include "director.hpp"
#include "wire_plan.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>

namespace agentd::testing {

/// Writes a reply. All must outlive the call; the caller awaits it. `completing` is called
/// before the bytes that complete the reply are written.
asio::awaitable<reply_end> write_reply(
    byte_stream& to, const wire_plan& plan, holds& gates, const std::function<void()>& completing);

} // namespace agentd::testing
