#include "model/tls_context.hpp"

#include "model/error.hpp"

#include <boost/asio/ssl/context.hpp>

#include <fmt/format.h>
#include <openssl/x509.h>

#include <cstdlib>

namespace agentd::model {
namespace {

namespace ssl = boost::asio::ssl;

base::error refuse(
    std::string_view what, const std::string& file, const boost::system::error_code& why)
{
    return {errc::bad_options,
        fmt::format("cannot read CA certificates of {} {}: {}", what, file, why.message())};
}

} // namespace

base::result<tls_context> make_tls_context(const std::string& ca_file)
{
    boost::system::error_code failed;
    auto made = std::make_shared<ssl::context>(ssl::context::tls_client);
    made->set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 |
            ssl::context::no_sslv3 | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1 |
            SSL_OP_NO_RENEGOTIATION,
        failed);
    made->set_verify_mode(ssl::verify_peer, failed);
    // OpenSSL passes over a default file that is not there; one that was asked for must be.
    const char* const file = std::getenv(
        X509_get_default_cert_file_env()); // NOLINT(concurrency-mt-unsafe): read at start
    if (file != nullptr && *file != '\0') {
        made->load_verify_file(file, failed);
        if (failed)
            return std::unexpected(refuse(X509_get_default_cert_file_env(), file, failed));
    }
    made->set_default_verify_paths(failed);
    if (!ca_file.empty()) {
        made->load_verify_file(ca_file, failed);
        if (failed)
            return std::unexpected(refuse("ca_file", ca_file, failed));
    }
    return made;
}

} // namespace agentd::model
