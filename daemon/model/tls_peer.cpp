#include "model/tls_peer.hpp"

#include "base/text.hpp"
#include "model/error.hpp"

#include <fmt/format.h>
#include <openssl/x509v3.h>

#include <array>

namespace agentd::model {
namespace {

constexpr std::size_t name_chars = 200; // of a subject, which the peer chose

std::string shown(const X509_NAME* name)
{
    std::array<char, 512> text{};
    X509_NAME_oneline(name, text.data(), static_cast<int>(text.size()));
    return base::one_line(text.data(), name_chars);
}

} // namespace

base::result<> tls_peer::expect(SSL* handshake) const
{
    bool set = false;
    if (to_.is_ip) {
        set = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(handshake), to_.host.c_str()) == 1;
    } else {
        // SSL_set_tlsext_host_name without the cast of its macro.
        std::string name = to_.host;
        set = SSL_ctrl(handshake, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                  name.data()) == 1 &&
            SSL_set1_host(handshake, name.c_str()) == 1;
    }
    if (!set)
        return std::unexpected(
            base::error{errc::tls_refused, "cannot prepare TLS for " + to_.authority()});
    return {};
}

bool tls_peer::look(bool ok, X509_STORE_CTX* chain)
{
    if (ok || !fault_.empty())
        return ok;
    const int code = X509_STORE_CTX_get_error(chain);
    fault_ = fmt::format("the certificate of {} is not trusted: {}", to_.authority(),
        X509_verify_cert_error_string(code));
    if (const X509* certificate = X509_STORE_CTX_get_current_cert(chain))
        fault_ += fmt::format(" (subject {}, issuer {})", shown(X509_get_subject_name(certificate)),
            shown(X509_get_issuer_name(certificate)));
    return false;
}

} // namespace agentd::model
