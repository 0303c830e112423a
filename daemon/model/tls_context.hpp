// Whom a connection trusts: the system's certificates (SSL_CERT_FILE and SSL_CERT_DIR as
// OpenSSL reads them) and a CA file of the configuration. Made once per configuration.
#pragma once

#include "base/error.hpp"

#include <memory>
#include <string>

namespace boost::asio::ssl {
class context;
}

namespace agentd::model {

// Shared: a connection that was begun before a reload keeps the context it began with.
using tls_context = std::shared_ptr<boost::asio::ssl::context>;

// TLS 1.2 and later, peers verified, no ALPN (the client speaks HTTP/1.1). A CA file that
// cannot be read is an error here and not a failed handshake later. Errors: bad_options.
[[nodiscard]] base::result<tls_context> make_tls_context(const std::string& ca_file);

} // namespace agentd::model
