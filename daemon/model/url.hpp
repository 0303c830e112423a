// Where the model is: the base URL taken apart. Pure; any thread.
#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace agentd::model {

struct url {
    bool tls = true;
    std::string host; // as given, without the brackets of an IPv6 literal
    std::uint16_t port = 443;
    std::string path; // of the base, without a slash at its end: "" or "/proxy"
    bool is_ip = false;

    // host[:port], the port where it is not the scheme's own; for the Host header and messages.
    [[nodiscard]] std::string authority() const;
    // Base and path with one slash at the seam; `path` begins with one.
    [[nodiscard]] std::string join(std::string_view path) const;
    // 127.0.0.0/8, ::1, localhost.
    [[nodiscard]] bool is_loopback() const;
};

// Takes "host", "host:port" or "[v6]:port" apart, into `out`, whose port stays where none is
// given; "" or what is wrong with it ("has no valid host").
[[nodiscard]] std::string_view read_authority(std::string_view text, url& out);

// Takes http:// and https://; plain http only to loopback unless `allow_plain_http`. User
// info, a query or a fragment is refused. Errors: bad_options.
[[nodiscard]] base::result<url> parse_base_url(std::string_view text, bool allow_plain_http);

} // namespace agentd::model
