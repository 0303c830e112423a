// Whom a connection trusts: the system's certificates (SSL_CERT_FILE and SSL_CERT_DIR as
// OpenSSL reads them) and a CA file of the configuration. Made once per configuration, at the
// first connection: reading a system's certificates takes tens of milliseconds.
#pragma once

#include "base/error.hpp"
#include "model/side_work.hpp"

#include <memory>
#include <string>

namespace boost::asio::ssl {
class context;
}

namespace agentd::model {

// Shared: a connection that was begun before a reload keeps the context it began with.
using tls_context = std::shared_ptr<boost::asio::ssl::context>;
// The making of one: the first who wants it begins, all wait, and it is kept.
using tls_trust = side_work<tls_context>;

// TLS 1.2 and later, peers verified, no ALPN (the client speaks HTTP/1.1). Reads all
// certificates: blocks. A file that was named and cannot be read is an error here and not a
// failed handshake later. Errors: bad_options; cannot_connect, when it may work the next time
// (no descriptor was free).
[[nodiscard]] base::result<tls_context> make_tls_context(const std::string& ca_file);
[[nodiscard]] tls_trust trust_in(std::string ca_file);

// What make_tls_context would say of what was named, as far as it can be told at once: reads
// `ca_file` and only opens SSL_CERT_FILE. Errors: as make_tls_context.
[[nodiscard]] base::result<> check_named_certificates(const std::string& ca_file);

} // namespace agentd::model
