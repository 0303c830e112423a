#include "tests/support/certificate.hpp"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

namespace agentd::testing {
namespace {

template <auto Free>
struct freed_by {
    template <class T>
    void operator()(T* p) const
    {
        Free(p);
    }
};
using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using x509_ptr = std::unique_ptr<X509, freed_by<X509_free>>;
using bio_ptr = std::unique_ptr<BIO, freed_by<BIO_vfree>>;

std::string text_of(BIO* bio)
{
    char* data = nullptr;
    const auto size = BIO_get_mem_data(bio, &data); // NOLINT: OpenSSL's macro casts
    return {data, static_cast<std::size_t>(size)};
}

std::string pem(X509* certificate)
{
    const bio_ptr out{BIO_new(BIO_s_mem())};
    PEM_write_bio_X509(out.get(), certificate);
    return text_of(out.get());
}

std::string pem(EVP_PKEY* key)
{
    const bio_ptr out{BIO_new(BIO_s_mem())};
    PEM_write_bio_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
    return text_of(out.get());
}

void extend(X509* certificate, int which, const std::string& value)
{
    X509V3_CTX context{};
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, which, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

x509_ptr begin(
    const std::string& name, EVP_PKEY* key, long from_seconds, long to_seconds, long serial)
{
    x509_ptr made{X509_new()};
    X509_set_version(made.get(), 2); // v3
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), serial);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), from_seconds);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), to_seconds);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
        reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_pubkey(made.get(), key);
    return made;
}

} // namespace

certificate make_certificate(const certificate_wish& wish)
{
    constexpr long day = 24 * 3600;
    const key_ptr ca_key{EVP_EC_gen("P-256")};
    const key_ptr key{EVP_EC_gen("P-256")};

    const x509_ptr ca = begin("test CA", ca_key.get(), -2 * day, day, 1);
    X509_set_issuer_name(ca.get(), X509_get_subject_name(ca.get()));
    extend(ca.get(), NID_basic_constraints, "critical,CA:TRUE");
    extend(ca.get(), NID_key_usage, "critical,keyCertSign");
    X509_sign(ca.get(), ca_key.get(), EVP_sha256());

    const x509_ptr own = begin("test server", key.get(), -2 * day, wish.expired ? -day : day, 2);
    X509_set_issuer_name(own.get(), X509_get_subject_name(ca.get()));
    extend(own.get(), NID_subject_alt_name, wish.names);
    X509_sign(own.get(), ca_key.get(), EVP_sha256());

    return {.ca = pem(ca.get()), .chain = pem(own.get()), .key = pem(key.get())};
}

} // namespace agentd::testing
