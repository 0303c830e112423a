// The keys of the configuration, told one by one to a visitor: one reads them from TOML, one
// writes them down. At start and on reload, on one thread.
#pragma once

#include "app/config.hpp"

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::app {

// What a text has to be; the reason it is not, else empty.
using text_rule = std::string (*)(const std::string&);

// `section` is empty for keys at the top.
class key_visitor {
public:
    virtual ~key_visitor() = default;
    virtual void integer(std::string_view section, std::string_view name, std::int64_t& value,
        std::int64_t least, std::int64_t most) = 0;
    virtual void number(std::string_view section, std::string_view name, double& value,
        double least, double most) = 0;
    virtual void boolean(std::string_view section, std::string_view name, bool& value) = 0;
    virtual void text(
        std::string_view section, std::string_view name, std::string& value, text_rule rule) = 0;
    // A text that may be a URL with a user and a password, which are not to be shown.
    virtual void address(
        std::string_view section, std::string_view name, std::string& value, text_rule rule) = 0;
    virtual void texts(std::string_view section, std::string_view name,
        std::vector<std::string>& value, text_rule rule) = 0;
    virtual void prices(
        std::string_view section, std::string_view name, std::map<std::string, price>& value) = 0;
};

// Shows every key of `all` to `by`.
void visit_keys(config& all, key_visitor& by);

// The reason why `url` cannot be a base_url, else empty. `anywhere`: plain http not only to
// loopback (a file may say so, the environment may not).
[[nodiscard]] std::string refused_url(const std::string& url, bool anywhere);

} // namespace agentd::app
