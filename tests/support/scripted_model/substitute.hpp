// `${name}` in scenario texts: what was captured from requests, put into replies.
// Names that are not known stay as they are, so that shell text such as `${HOME}` passes.
// Pure; any thread.
#pragma once

#include <boost/json/value.hpp>

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace agentd::testing {

using variables = std::map<std::string, std::string, std::less<>>;

std::string substituted(std::string_view text, const variables& known);

/// The value with all of its strings substituted; names of members stay.
boost::json::value substituted(const boost::json::value& value, const variables& known);

} // namespace agentd::testing
