#include "app/config.hpp"

#include "app/config_keys.hpp"
#include "base/unique_fd.hpp"
#include "model/proxy.hpp"
#include "proto/json/writer.hpp"
#include "tools/policy.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace agentd::app {
namespace {

constexpr std::size_t config_bytes = 1U << 20; // a larger file is not a configuration

base::error bad(std::string text)
{
    return {errc::bad_config, std::move(text)};
}

base::result<std::string> read_file(const std::string& path)
{
    const base::unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file)
        return std::unexpected(bad(base::system_error("open " + path, errno).text));
    std::string text;
    char piece[4096];
    for (;;) {
        const auto got = ::read(file.get(), piece, sizeof piece);
        if (got == 0)
            return text;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return std::unexpected(bad(base::system_error("read " + path, errno).text));
        text.append(piece, static_cast<std::size_t>(got));
        if (text.size() > config_bytes)
            return std::unexpected(bad(path + " is larger than 1 MiB"));
    }
}

// Writes each key as it would stand in a file. TOML's basic strings are escaped like JSON's.
class key_writer final : public key_visitor {
public:
    std::vector<std::pair<std::string, std::string>> lines;

    void integer(std::string_view s, std::string_view n, std::int64_t& v, std::int64_t,
        std::int64_t) override
    {
        add(s, n, fmt::format("{}", v));
    }
    void number(std::string_view s, std::string_view n, double& v, double, double) override
    {
        add(s, n, fmt::format("{}", v));
    }
    void boolean(std::string_view s, std::string_view n, bool& v) override
    {
        add(s, n, v ? "true" : "false");
    }
    void text(std::string_view s, std::string_view n, std::string& v, text_rule) override
    {
        add(s, n, proto::json::quoted(v));
    }
    void address(std::string_view s, std::string_view n, std::string& v, text_rule) override
    {
        add(s, n, proto::json::quoted(model::without_credentials(v)));
    }
    void texts(
        std::string_view s, std::string_view n, std::vector<std::string>& v, text_rule) override
    {
        std::string list;
        for (const auto& item : v)
            list += (list.empty() ? "" : ", ") + proto::json::quoted(item);
        add(s, n, "[" + list + "]");
    }
    void prices(std::string_view s, std::string_view n, std::map<std::string, price>& v) override
    {
        for (const auto& [model, p] : v)
            add(s, fmt::format("{}.{}", n, proto::json::quoted(model)),
                fmt::format("{{ input = {}, output = {}, cache_read = {}, cache_write = {} }}",
                    p.input, p.output, p.cache_read, p.cache_write));
    }

private:
    void add(std::string_view section, std::string_view name, std::string value)
    {
        lines.emplace_back(
            section.empty() ? std::string{name} : fmt::format("{}.{}", section, name),
            std::move(value));
    }
};

} // namespace

std::vector<std::string> default_deny()
{
    const auto patterns = tools::policy::defaults();
    return {patterns.begin(), patterns.end()};
}

base::result<config> load_config(const std::string& file)
{
    if (file.empty())
        return config{};
    auto text = read_file(file);
    if (!text)
        return std::unexpected(std::move(text).error());
    return parse_config(*text, file);
}

base::result<> apply_environment(config& to, const environment& env)
{
    if (const auto url = env("ANTHROPIC_BASE_URL")) {
        if (const auto reason = refused_url(*url, false); !reason.empty())
            return std::unexpected(bad("environment: ANTHROPIC_BASE_URL: " + reason));
        to.model.base_url = *url;
    }
    if (const auto name = env("MODEL_ID"))
        to.model.name = *name;
    // The small letters first, as other programs have it.
    const auto either = [&env](const std::string& small, const std::string& large) {
        const auto first = env(small);
        return first ? *first : env(large).value_or("");
    };
    to.proxies.https = either("https_proxy", "HTTPS_PROXY");
    to.proxies.http = either("http_proxy", "HTTP_PROXY");
    to.proxies.all = either("all_proxy", "ALL_PROXY");
    to.proxies.none = either("no_proxy", "NO_PROXY");
    return {};
}

base::result<> check_together(const config& all, std::uint32_t uid)
{
    if (all.shared && uid == 0)
        return std::unexpected(bad("key \"shared\": must not be true for a daemon of uid 0: "
                                   "tasks of others would run with root's rights"));
    if (all.shared && all.workspace.roots.empty())
        return std::unexpected(
            bad("key \"workspace.roots\": must name a folder when shared is true"));
    return {};
}

std::vector<std::pair<std::string, std::string>> describe(const config& all)
{
    config copy = all; // the visitor may change what it is shown
    key_writer writer;
    visit_keys(copy, writer);
    return std::move(writer.lines);
}

} // namespace agentd::app
