// Where the model and its proxy are: what is understood is written in one way, and no message
// quotes a proxy's password.
#include "model/proxy.hpp"
#include "model/url.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>

namespace {

using namespace agentd;
using fuzz::must;

constexpr std::string_view password = "hunter2-hunter2";

void check_base(std::string_view text, std::string_view entry)
{
    const auto read = model::parse_base_url(text, true);
    if (!read) {
        must(!read.error().text.empty(), "what is wrong with a URL is said");
        return;
    }
    must(!read->host.empty() && read->port != 0, "a host and a port");
    must(!read->path.ends_with('/') && read->join("/v1/messages").starts_with('/'), "a path");
    const auto written = std::string{read->tls ? "https://" : "http://"} + read->authority();
    const auto again = model::parse_base_url(written + read->path, true);
    must(again.has_value() && again->host == read->host && again->port == read->port &&
            again->path == read->path,
        "a URL that was read and written means the same");
    static_cast<void>(model::is_reached_directly(*read, {std::string{entry}}));
}

void check_proxy(std::string_view behind_password)
{
    if (behind_password.find(password) != std::string_view::npos)
        return; // it stands at a second place, where it is none
    const auto text = "http://user:" + std::string{password} + "@" + std::string{behind_password};
    const auto read = model::parse_proxy(text);
    if (!read)
        must(read.error().text.find(password) == std::string::npos, "no message quotes a password");
    else
        must(!read->authorization.empty() && !read->at.host.empty(), "a proxy and its password");
    must(model::without_credentials(text).find(password) == std::string::npos,
        "no password is shown");
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto parts = fuzz::in_parts(fuzz::as_text(data, size), 2);
    check_base(parts[0], parts[1]);
    check_proxy(parts[0]);
    static_cast<void>(model::parse_proxy(parts[0]));
    return 0;
}
