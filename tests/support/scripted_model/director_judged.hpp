// Inside the director: one request on its way through the checks. Lives on the stack of
// `director::decide`, on the thread that read the request.
#pragma once

#include "director.hpp"

#include <boost/json/value.hpp>

#include <utility>

namespace agentd::testing {

struct director::judged {
    judged(const http_request& from, std::string id) : request{from}, request_id{std::move(id)} {}

    /// Only after the body was found to be an object.
    [[nodiscard]] const boost::json::object& body() const { return parsed.get_object(); }

    const http_request& request;
    std::string request_id;
    boost::json::value parsed;
    request_record record;
    verdict out;
};

} // namespace agentd::testing
