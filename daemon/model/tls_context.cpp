#include "model/tls_context.hpp"

#include "base/unique_fd.hpp"
#include "model/error.hpp"
#include "model/tls_sessions.hpp"

#include <boost/asio/ssl/context.hpp>

#include <fmt/format.h>
#include <openssl/x509.h>

#include <fcntl.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>

namespace agentd::model {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

base::error refuse(std::string_view what, const std::string& file, const error_code& why)
{
    const bool for_now = why == boost::system::errc::too_many_files_open ||
        why == boost::system::errc::too_many_files_open_in_system ||
        why == boost::system::errc::not_enough_memory;
    return {for_now ? errc::cannot_connect : errc::bad_options,
        fmt::format("cannot read CA certificates of {} {}: {}", what, file, why.message())};
}

error_code try_open(const std::string& file)
{
    const base::unique_fd opened{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
    return opened ? error_code{} : error_code{errno, boost::system::system_category()};
}

base::result<> load_file(ssl::context& into, std::string_view what, const std::string& file)
{
    error_code failed = try_open(file); // OpenSSL's own words for it are poor
    if (!failed)
        into.load_verify_file(file, failed);
    if (failed)
        return std::unexpected(refuse(what, file, failed));
    return {};
}

// "" when the environment names none.
std::string named_by_environment()
{
    const char* const file = std::getenv(
        X509_get_default_cert_file_env()); // NOLINT(concurrency-mt-unsafe): nobody sets any
    return file == nullptr ? "" : file;
}

// OpenSSL passes over a default file that is not there, but also over one that it cannot open
// for want of descriptors: then nobody would be trusted from now on.
base::result<> load_defaults(ssl::context& into)
{
    const std::string file = X509_get_default_cert_file();
    if (const auto failed = try_open(file)) {
        auto error = refuse("the system", file, failed);
        if (error.is(errc::cannot_connect))
            return std::unexpected(std::move(error));
    }
    error_code ignored; // it fails for want of memory alone
    into.set_default_verify_paths(ignored);
    return {};
}

} // namespace

base::result<tls_context> make_tls_context(const std::string& ca_file)
{
    error_code failed;
    auto made = std::make_shared<ssl::context>(ssl::context::tls_client);
    made->set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 |
            ssl::context::no_sslv3 | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1 |
            SSL_OP_NO_RENEGOTIATION,
        failed);
    made->set_verify_mode(ssl::verify_peer, failed);
    tls_sessions::enable(made->native_handle());
    if (const auto file = named_by_environment(); !file.empty()) {
        if (auto loaded = load_file(*made, X509_get_default_cert_file_env(), file); !loaded)
            return std::unexpected(std::move(loaded.error()));
    }
    if (auto loaded = load_defaults(*made); !loaded)
        return std::unexpected(std::move(loaded.error()));
    if (!ca_file.empty()) {
        if (auto loaded = load_file(*made, "ca_file", ca_file); !loaded)
            return std::unexpected(std::move(loaded.error()));
    }
    return made;
}

tls_trust trust_in(std::string ca_file)
{
    const side_work_bounds one{.threads = 1, .patience = {}, .keeps = true};
    return tls_trust{[ca_file = std::move(ca_file)] { return make_tls_context(ca_file); }, one};
}

base::result<> check_named_certificates(const std::string& ca_file)
{
    if (const auto file = named_by_environment(); !file.empty()) {
        if (const auto failed = try_open(file))
            return std::unexpected(refuse(X509_get_default_cert_file_env(), file, failed));
    }
    if (ca_file.empty())
        return {};
    ssl::context alone{ssl::context::tls_client};
    return load_file(alone, "ca_file", ca_file);
}

} // namespace agentd::model
