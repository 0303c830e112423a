#include "api/form.hpp"

#include "base/limits.hpp"
#include "proto/api/parse.hpp"
#include "proto/json/reader.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace agentd::api {
namespace {

constexpr std::size_t shortest_id = 4; // characters of one that will do

// The fingerprint by which a repeated body is known again, in hex.
std::string sha256(std::string_view bytes)
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
    std::string hex;
    for (unsigned i = 0; i < size; ++i)
        fmt::format_to(std::back_inserter(hex), "{:02x}", digest[i]); // NOLINT: i < size
    return hex;
}

bool is_cursor(std::string_view text, cursor_of list)
{
    constexpr std::string_view hex{"0123456789abcdef"};
    constexpr std::string_view base32{"abcdefghijklmnopqrstuvwxyz234567"};
    constexpr std::size_t job_digits = 8;
    constexpr std::size_t prefixed = 12; // t_ or s_, and 10 characters
    if (list == cursor_of::jobs)
        return text.size() == job_digits && text.find_first_not_of(hex) == std::string_view::npos;
    return text.size() == prefixed && text.starts_with(list == cursor_of::tasks ? "t_" : "s_") &&
        text.find_first_not_of(base32, 2) == std::string_view::npos;
}

} // namespace

bool is_id(std::string_view text)
{
    constexpr std::string_view letters{"abcdefghijklmnopqrstuvwxyz0123456789_"};
    return text.size() >= shortest_id && text.find_first_not_of(letters) == std::string_view::npos;
}

std::string id_in(parameters& in, std::string_view name)
{
    std::string id = in.text(name);
    if (in.has(name) && !is_id(id))
        in.complain(name, "must be an id, or at least its first 4 characters");
    return id;
}

std::string cursor_in(parameters& in, cursor_of list)
{
    std::string cursor = in.text("after");
    if (in.has("after") && !is_cursor(cursor, list))
        in.complain("after", "must be the `next` of the page before");
    return cursor;
}

std::size_t list_limit(parameters& in)
{
    return static_cast<std::size_t>(
        in.number("limit", limits::list_default, 1, limits::list_items));
}

base::result<std::optional<session::idempotency_key>> idempotency_key(const exchange& x)
{
    const std::string* key = x.asked.field("idempotency-key");
    if (key == nullptr)
        return std::nullopt;
    const bool visible = std::ranges::all_of(*key, [](char c) { return c > ' ' && c < 0x7f; });
    if (key->empty() || key->size() > limits::idempotency_key_bytes || !visible)
        return std::unexpected(base::error{proto::api::errc::invalid_field,
            fmt::format("field \"Idempotency-Key\": must be 1 to {} visible ASCII characters",
                limits::idempotency_key_bytes)});
    session::idempotency_key whole;
    whole.key = *key;
    whole.path = x.asked.raw_path;
    whole.body_hash = sha256(x.asked.body);
    return whole;
}

base::result<> no_fields(std::string_view body)
{
    if (body.empty())
        return {};
    const auto object = proto::json::parse_object(body);
    if (!object)
        return std::unexpected(base::error{proto::api::errc::malformed, object.error().text});
    if (auto only = object->allow_only({}); !only)
        return std::unexpected(base::error{proto::api::errc::invalid_field, only.error().text});
    return {};
}

} // namespace agentd::api
