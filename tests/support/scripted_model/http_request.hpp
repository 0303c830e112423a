// One HTTP request as the parts of the scripted model pass it around.
// A plain value made by the connection that read it; nothing here refers to a socket.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentd::testing {

using header_list = std::vector<std::pair<std::string, std::string>>;

/// A request read whole. Header names are in lower case, in the order received.
struct http_request {
    std::string method;
    std::string path;  ///< target up to `?`, as sent
    std::string query; ///< behind `?`, as sent
    header_list headers;
    std::shared_ptr<const std::string> body = std::make_shared<const std::string>();
    std::chrono::steady_clock::time_point received{}; ///< when its last byte had come
    std::uint64_t connection = 0;                     ///< number of the connection, from 1
    std::string sni;                                  ///< server name of the TLS hello; "" if none
    bool keep_alive = true;
};

/// All values of a header; name in lower case.
std::vector<std::string_view> header_values(const header_list& headers, std::string_view name);

/// The first value of a header, if it is there.
std::optional<std::string_view> header(const header_list& headers, std::string_view name);

/// The value of a query parameter, percent-decoded, if it is there.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

/// The whole number that a query parameter holds; `otherwise` when it is absent or none.
std::uint64_t query_number(std::string_view query, std::string_view name, std::uint64_t otherwise);

/// Percent-decoded (`+` stays as it is); broken escapes are kept as they are.
std::string percent_decoded(std::string_view text);

} // namespace agentd::testing
