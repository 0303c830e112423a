// Whom a TLS handshake expects at the other end, and what was wrong with who answered, in
// words: OpenSSL's own error would only say "certificate verify failed".
#pragma once

#include "base/error.hpp"
#include "model/url.hpp"

#include <openssl/ssl.h>

#include <string>
#include <utility>

namespace agentd::model {

class tls_peer {
public:
    explicit tls_peer(url to) : to_(std::move(to)) {}

    // Sets the name to check and SNI; no SNI for an IP literal (RFC 6066), whose address the
    // certificate has to have. Errors: tls_refused.
    [[nodiscard]] base::result<> expect(SSL* handshake) const;
    // The verify callback's part: keeps the first fault; the answer is whether to go on.
    [[nodiscard]] bool look(bool ok, X509_STORE_CTX* chain);
    // What was wrong, with the certificate's subject and issuer; "" for nothing.
    [[nodiscard]] const std::string& fault() const { return fault_; }
    [[nodiscard]] std::string name() const { return to_.authority(); }

private:
    url to_;
    std::string fault_;
};

} // namespace agentd::model
