// Whether a request holds what a step expects, and if not, exactly what is missing.
// Pure; any thread. The request's body has passed the validator.
#pragma once

#include "http_request.hpp"
#include "scenario.hpp"
#include "substitute.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <vector>

namespace agentd::testing {

/// A request as the matcher looks at it; refers to what the caller holds.
struct matched_request {
    const boost::json::object& body;
    const header_list& headers;
};

/// The first expectation that is not met, in words: field, wanted, what is there instead.
std::optional<std::string> unmet(
    const expectation& wanted, const matched_request& request, const variables& known);

/// Takes captures out of the last user message into `known`. Returns the one that found nothing.
std::optional<std::string> capture(
    const step& from, const matched_request& request, variables& known);

} // namespace agentd::testing
