// Inside the scenario parser: the chapter on replies. Pure; any thread.
#pragma once

#include "object_reader.hpp"
#include "scenario.hpp"

namespace agentd::testing {

/// Reads one `reply` object.
reply read_reply(const boost::json::value& value, const std::string& path, fault_list& faults);

} // namespace agentd::testing
