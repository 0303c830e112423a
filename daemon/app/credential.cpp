#include "app/credential.hpp"

#include "app/errc.hpp"
#include "base/text.hpp"
#include "base/unique_fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace agentd::app {
namespace {

constexpr std::size_t key_bytes = 4096; // far above any key

base::error unusable(const std::string& text)
{
    return {errc::no_access, text};
}

// A key goes into a header: one line of visible ASCII. The text never quotes it.
base::result<std::string> checked(std::string_view text, const std::string& where)
{
    const auto key = base::strip(text);
    if (key.empty())
        return std::unexpected(unusable(where + " is empty"));
    if (!std::ranges::all_of(key, [](char c) { return c > 0x20 && c < 0x7F; }))
        return std::unexpected(unusable(where + " holds characters that no key has"));
    return std::string{key};
}

base::result<std::string> read_key(const std::string& path, const std::string& where)
{
    const base::unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file)
        return std::unexpected(unusable(base::system_error("open " + where, errno).text));
    std::string text(key_bytes + 1, '\0');
    const auto got = ::read(file.get(), text.data(), text.size());
    if (got < 0)
        return std::unexpected(unusable(base::system_error("read " + where, errno).text));
    if (static_cast<std::size_t>(got) > key_bytes)
        return std::unexpected(unusable(where + " is too large to hold a key"));
    return checked(std::string_view{text}.substr(0, static_cast<std::size_t>(got)), where);
}

base::result<credential> made(
    credential::kind kind, base::result<std::string> value, std::string source)
{
    if (!value)
        return std::unexpected(std::move(value).error());
    return credential{kind, std::move(*value), std::move(source)};
}

} // namespace

credential_sources credential_sources_of(const environment& env)
{
    credential_sources out;
    if (const auto folder = env("CREDENTIALS_DIRECTORY"))
        out.systemd_file = *folder + "/anthropic-api-key";
    out.api_key = env("ANTHROPIC_API_KEY");
    out.auth_token = env("ANTHROPIC_AUTH_TOKEN");
    return out;
}

base::result<credential> find_credential(
    const credential_sources& from, const std::string& api_key_file)
{
    using kind = credential::kind;
    const std::string of_systemd = "the systemd credential anthropic-api-key";
    if (!from.systemd_file.empty() && ::access(from.systemd_file.c_str(), F_OK) == 0)
        return made(kind::api_key, read_key(from.systemd_file, of_systemd), of_systemd);
    if (!api_key_file.empty()) {
        const auto where = "the file " + api_key_file;
        return made(kind::api_key, read_key(api_key_file, where), where);
    }
    if (from.api_key)
        return made(
            kind::api_key, checked(*from.api_key, "ANTHROPIC_API_KEY"), "ANTHROPIC_API_KEY");
    if (from.auth_token)
        return made(kind::bearer, checked(*from.auth_token, "ANTHROPIC_AUTH_TOKEN"),
            "ANTHROPIC_AUTH_TOKEN");
    return std::unexpected(
        unusable("no credential: none of the systemd credential anthropic-api-key, the key "
                 "model.api_key_file, ANTHROPIC_API_KEY and ANTHROPIC_AUTH_TOKEN is set"));
}

} // namespace agentd::app
