#include "model/anthropic/request_head.hpp"
#include "model/error.hpp"
#include "model/options.hpp"
#include "model/url.hpp"

#include <doctest/doctest.h>

using namespace agentd::model;

namespace {

std::string where(std::string_view text)
{
    const auto parsed = parse_base_url(text, false);
    return parsed ? parsed->authority() + parsed->join("/v1/messages")
                  : "refused: " + parsed.error().text;
}

} // namespace

TEST_CASE("base url: one slash at the seam, paths are kept, ports where they are not the scheme's")
{
    CHECK(where("https://api.anthropic.com") == "api.anthropic.com/v1/messages");
    CHECK(where(" https://h/p/ ") == "h/p/v1/messages");
    CHECK(where("https://h:443/") == "h/v1/messages");
    CHECK(where("https://h:8443/a/b") == "h:8443/a/b/v1/messages");
    CHECK(where("http://127.0.0.1:80") == "127.0.0.1/v1/messages");
    CHECK(where("https://[2001:db8::1]:99") == "[2001:db8::1]:99/v1/messages");
    CHECK(parse_base_url("https://10.0.0.1", false)->is_ip);
    CHECK_FALSE(parse_base_url("https://h", false)->is_ip);
}

TEST_CASE("base url: plain http goes to this machine alone unless that was configured")
{
    for (const std::string_view here :
        {"http://localhost:1", "http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:1"})
        CHECK_MESSAGE(parse_base_url(here, false).has_value(), here);
    for (const std::string_view there : {"http://example.com", "http://10.0.0.1",
             "http://127.0.0.1.example.com", "http://localhost.example.com"}) {
        CHECK_MESSAGE(parse_base_url(there, false).error().is(errc::bad_options), there);
        CHECK_MESSAGE(parse_base_url(there, true).has_value(), there);
    }
}

TEST_CASE("base url: what is no URL, or could leak, is refused without being quoted")
{
    for (const std::string_view bad : {"", "h", "ftp://h", "https://", "https:///x", "https://h:0",
             "https://h:99999", "https://h:1x", "https://u:secret@h", "https://h?key=secret",
             "https://h/#f", "https://h/a b", "https://h/\r\nx: y", "https://[::1", "https://[h]",
             "https://[::1]x", "https://h_\xC3\xA9"}) {
        const auto parsed = parse_base_url(bad, true);
        REQUIRE_MESSAGE(!parsed.has_value(), bad);
        CHECK(parsed.error().text.find("secret") == std::string::npos);
    }
}

TEST_CASE("options: check says what is wrong, warning what is odd, and never the key")
{
    options what;
    CHECK(check(what).has_value());
    what.key.value = "sk-secret\nx";
    REQUIRE_FALSE(check(what).has_value());
    CHECK(check(what).error().text.find("secret") == std::string::npos);
    what.key.value = " sk-fine \n";
    CHECK(check(what).has_value());
    what.ca_file = "/nonexistent/ca.pem";
    CHECK(check(what).error().text.find("/nonexistent/ca.pem") != std::string::npos);
    CHECK(warning_about(what).empty());
    what.base_url = "https://h/v1/";
    CHECK(warning_about(what).find("/v1/v1/messages") != std::string::npos);
}

TEST_CASE("case 74 auth_headers: exactly one credential header")
{
    const auto to = *parse_base_url("https://h/p", false);
    options what;
    what.key.is = credential::kind::api_key;
    what.key.value = "sk-1";
    const anthropic::request_line seven{.body_bytes = 7};
    const std::string by_key = anthropic::request_head(to, what, seven);
    CHECK(by_key.starts_with("POST /p/v1/messages HTTP/1.1\r\nhost: h\r\n"));
    CHECK(by_key.find("x-api-key: sk-1\r\n") != std::string::npos);
    CHECK(by_key.find("authorization") == std::string::npos);
    CHECK(by_key.find("anthropic-version: 2023-06-01\r\n") != std::string::npos);
    CHECK(by_key.ends_with("content-length: 7\r\n\r\n"));
    what.key.is = credential::kind::bearer;
    const std::string by_token = anthropic::request_head(to, what, seven);
    CHECK(by_token.find("authorization: Bearer sk-1\r\n") != std::string::npos);
    CHECK(by_token.find("x-api-key") == std::string::npos);
}
