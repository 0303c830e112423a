// Which proxy stands before the model's server, if any, and how it is let in. Pure; any thread.
#pragma once

#include "base/error.hpp"
#include "model/options.hpp"
#include "model/url.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::model {

struct proxy {
    url at; // spoken to without TLS
    // The value of Proxy-Authorization; "" when it asks for none. A secret, as are the texts
    // that it could be quoted by.
    std::string authorization;
    std::vector<std::string> secrets;
};

// `text` is [http://][user[:password]@]host[:port], user and password percent-encoded. Errors:
// bad_options; the text says what the value must be or has, and never quotes it.
[[nodiscard]] base::result<proxy> parse_proxy(std::string_view text);

// True if `to` is this machine or named by an entry of `no_proxy`: `*`, an address as it is, or
// a name, which stands for its subdomains, too; each with :PORT where only that one is meant.
[[nodiscard]] bool is_reached_directly(const url& to, const std::vector<std::string>& no_proxy);

// What `configured` ("" and "none": no proxy) comes to for requests to `to`.
[[nodiscard]] base::result<std::optional<proxy>> proxy_for(
    const url& to, const std::string& configured, const std::vector<std::string>& no_proxy);

// How requests to `to` are to be written when `via` forwards them.
[[nodiscard]] forwarding forwarding_by(const proxy& via, const url& to);

// `text` with its user and password, if any, made "***": for people.
[[nodiscard]] std::string without_credentials(std::string_view text);

} // namespace agentd::model
