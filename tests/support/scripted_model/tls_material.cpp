// See tls_material.hpp.
#include "tls_material.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <fstream>
#include <memory>

namespace agentd::testing {

namespace {

constexpr long one_day = 24L * 60 * 60;

struct release {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
};
using key_ptr = std::unique_ptr<EVP_PKEY, release>;
using certificate_ptr = std::unique_ptr<X509, release>;
using bio_ptr = std::unique_ptr<BIO, release>;
using extension_ptr = std::unique_ptr<X509_EXTENSION, release>;

struct subject {
    const char* name;
    const char* alternative; ///< subjectAltName; nullptr for the authority
    long from;               ///< seconds from now
    long until;
};

bool extend(X509* certificate, X509* issuer, int what, const char* value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    extension_ptr made{X509V3_EXT_conf_nid(nullptr, &context, what, value)};
    return made && X509_add_ext(certificate, made.get(), -1) == 1;
}

bool describe(X509* certificate, const subject& who)
{
    std::uint64_t serial = 0;
    RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
    auto* name = X509_get_subject_name(certificate);
    return X509_set_version(certificate, 2) == 1 &&
        ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1U) == 1 &&
        X509_gmtime_adj(X509_getm_notBefore(certificate), who.from) != nullptr &&
        X509_gmtime_adj(X509_getm_notAfter(certificate), who.until) != nullptr &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
            reinterpret_cast<const unsigned char*>(who.name), -1, -1, 0) == 1;
}

bool add_extensions(X509* certificate, X509* issuer, const char* alternative)
{
    if (alternative == nullptr)
        return extend(certificate, issuer, NID_basic_constraints, "critical,CA:TRUE") &&
            extend(certificate, issuer, NID_key_usage, "critical,keyCertSign,cRLSign") &&
            extend(certificate, issuer, NID_subject_key_identifier, "hash");
    return extend(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
        extend(certificate, issuer, NID_key_usage, "critical,digitalSignature") &&
        extend(certificate, issuer, NID_ext_key_usage, "serverAuth") &&
        extend(certificate, issuer, NID_subject_key_identifier, "hash") &&
        extend(certificate, issuer, NID_authority_key_identifier, "keyid") &&
        extend(certificate, issuer, NID_subject_alt_name, alternative);
}

// `issuer` and `issuer_key` null: signed by itself.
certificate_ptr make_certificate(
    const subject& who, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key)
{
    certificate_ptr made{X509_new()};
    if (!made || !describe(made.get(), who))
        return nullptr;
    auto* by = issuer == nullptr ? made.get() : issuer;
    auto* signing = issuer_key == nullptr ? key : issuer_key;
    if (X509_set_issuer_name(made.get(), X509_get_subject_name(by)) != 1 ||
        X509_set_pubkey(made.get(), key) != 1 || !add_extensions(made.get(), by, who.alternative) ||
        X509_sign(made.get(), signing, EVP_sha256()) == 0)
        return nullptr;
    return made;
}

std::string text_of(BIO* bio)
{
    char* data = nullptr;
    auto size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate)
{
    bio_ptr bio{BIO_new(BIO_s_mem())};
    PEM_write_bio_X509(bio.get(), certificate);
    return text_of(bio.get());
}

std::string pem_of(EVP_PKEY* key)
{
    bio_ptr bio{BIO_new(BIO_s_mem())};
    PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
    return text_of(bio.get());
}

} // namespace

std::expected<tls_material, std::string> make_tls_material(certificate_kind kind)
{
    subject authority{"agentd scripted model CA", nullptr, -one_day, 30 * one_day};
    subject server{"localhost", "DNS:localhost,IP:127.0.0.1,IP:::1", -one_day, 30 * one_day};
    if (kind == certificate_kind::wrong_host)
        server.alternative = "DNS:elsewhere.invalid,IP:192.0.2.1";
    if (kind == certificate_kind::expired) {
        server.from = -30 * one_day;
        server.until = -one_day;
    }
    key_ptr ca_key{EVP_EC_gen("P-256")};
    key_ptr server_key{EVP_EC_gen("P-256")};
    if (!ca_key || !server_key)
        return std::unexpected("cannot make a key");
    auto ca = make_certificate(authority, ca_key.get(), nullptr, nullptr);
    if (!ca)
        return std::unexpected("cannot make the authority's certificate");
    auto leaf = make_certificate(server, server_key.get(), ca.get(), ca_key.get());
    if (!leaf)
        return std::unexpected("cannot make the server's certificate");
    return tls_material{pem_of(ca.get()), pem_of(leaf.get()), pem_of(server_key.get())};
}

std::expected<void, std::string> write_pem(const std::string& file, const std::string& pem)
{
    auto temporary = file + ".new";
    std::ofstream out{temporary, std::ios::binary | std::ios::trunc};
    out << pem;
    out.close();
    if (!out || std::rename(temporary.c_str(), file.c_str()) != 0)
        return std::unexpected("cannot write " + file);
    return {};
}

} // namespace agentd::testing
