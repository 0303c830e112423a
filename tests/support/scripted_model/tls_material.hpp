// A certificate authority and a server certificate, made at start: the real chain of trust
// that a client has to check, without a key in the source tree.
// Start-up only, on the main thread.
#pragma once

#include <expected>
#include <string>

namespace agentd::testing {

/// What may be wrong with the certificate on purpose.
enum class certificate_kind {
    good,
    wrong_host, ///< for another name and address
    expired,
};

/// PEM texts.
struct tls_material {
    std::string ca;          ///< the authority's certificate
    std::string certificate; ///< the server's, for localhost, 127.0.0.1 and ::1
    std::string key;         ///< the server's private key
};

std::expected<tls_material, std::string> make_tls_material(certificate_kind kind);

/// Writes a file readable by all, replacing what was there in one step.
std::expected<void, std::string> write_pem(const std::string& file, const std::string& pem);

} // namespace agentd::testing
