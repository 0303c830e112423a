// Reading the keys from TOML: toml++ is seen here alone. Every mistake is collected with its
// line, so that one look at the messages is enough to mend a file.
#include "app/config_keys.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace agentd::app {
namespace {

class toml_reader final : public key_visitor {
public:
    toml_reader(const toml::table& root, std::string file) : root_(&root), file_(std::move(file)) {}

    void integer(std::string_view section, std::string_view name, std::int64_t& value,
        std::int64_t least, std::int64_t most) override
    {
        const auto* node = find(section, name);
        if (node == nullptr)
            return;
        const auto* whole = node->as_integer();
        if (whole == nullptr || whole->get() < least || whole->get() > most)
            return refuse(*node, key(section, name),
                whole == nullptr ? std::string{"must be a whole number"}
                                 : fmt::format("must be between {} and {}", least, most));
        value = whole->get();
    }

    void number(std::string_view section, std::string_view name, double& value, double least,
        double most) override
    {
        if (const auto* node = find(section, name))
            read_number(*node, key(section, name), value, least, most);
    }

    void boolean(std::string_view section, std::string_view name, bool& value) override
    {
        const auto* node = find(section, name);
        if (node == nullptr)
            return;
        if (const auto* truth = node->as_boolean())
            value = truth->get();
        else
            refuse(*node, key(section, name), "must be true or false");
    }

    void text(std::string_view section, std::string_view name, std::string& value,
        text_rule rule) override
    {
        if (const auto* node = find(section, name))
            read_text(*node, key(section, name), value, rule);
    }

    void address(std::string_view section, std::string_view name, std::string& value,
        text_rule rule) override
    {
        text(section, name, value, rule);
    }

    void texts(std::string_view section, std::string_view name, std::vector<std::string>& value,
        text_rule rule) override
    {
        const auto* node = find(section, name);
        if (node == nullptr)
            return;
        const auto* list = node->as_array();
        if (list == nullptr)
            return refuse(*node, key(section, name), "must be an array of strings");
        std::vector<std::string> read;
        for (const auto& item : *list)
            read_text(item, key(section, name), read.emplace_back(), rule);
        value = std::move(read);
    }

    void prices(std::string_view section, std::string_view name,
        std::map<std::string, price>& value) override
    {
        const auto* node = find(section, name);
        if (node == nullptr)
            return;
        const auto* models = node->as_table();
        if (models == nullptr)
            return refuse(*node, key(section, name), "must be a table of models");
        for (const auto& [model, entry] : *models)
            read_price(entry, fmt::format("{}.\"{}\"", key(section, name), model.str()),
                value[std::string{model.str()}]);
    }

    // The mistakes found, unknown keys among them, in order of line.
    std::vector<std::string> finish()
    {
        seek_unknown(*root_, "");
        std::vector<std::string> lines;
        for (const auto& [line, message] : problems_)
            lines.push_back(message);
        return lines;
    }

private:
    static std::string key(std::string_view section, std::string_view name)
    {
        return section.empty() ? std::string{name} : fmt::format("{}.{}", section, name);
    }

    // The node of a key, noted as known; nullptr: absent, or its section is no table (which is
    // then an unknown key, unless it is the section itself: said once).
    const toml::node* find(std::string_view section, std::string_view name)
    {
        known_.insert(key(section, name));
        const toml::table* table = root_;
        if (!section.empty()) {
            const auto* node = root_->get(section);
            if (node == nullptr)
                return nullptr;
            table = node->as_table();
            if (table == nullptr) {
                if (known_.insert(std::string{section}).second)
                    refuse(*node, std::string{section}, "must be a section");
                return nullptr;
            }
            sections_.insert(std::string{section});
        }
        return table->get(name);
    }

    void refuse(const toml::node& where, const std::string& key, std::string_view reason)
    {
        const auto line = where.source().begin.line;
        problems_.emplace(line, fmt::format("{}:{}: key \"{}\": {}", file_, line, key, reason));
    }

    void read_text(
        const toml::node& node, const std::string& key, std::string& value, text_rule rule)
    {
        const auto* text = node.as_string();
        if (text == nullptr)
            return refuse(node, key, "must be a string");
        if (text->get().find('\0') != std::string::npos)
            return refuse(node, key, "must not hold NUL");
        if (const auto reason = rule(text->get()); !reason.empty())
            return refuse(node, key, reason);
        value = text->get();
    }

    void read_number(
        const toml::node& node, const std::string& key, double& value, double least, double most)
    {
        const auto number = node.value<double>();
        if (!node.is_number() || !number || !std::isfinite(*number))
            return refuse(node, key, "must be a number");
        if (*number < least || *number > most)
            return refuse(node, key, fmt::format("must be between {} and {}", least, most));
        value = *number;
    }

    void read_price(const toml::node& node, const std::string& key, price& value)
    {
        constexpr double dearest = 1e6; // dollars per million tokens
        const auto* table = node.as_table();
        if (table == nullptr)
            return refuse(node, key, "must be a table { input, output, cache_read, cache_write }");
        const std::pair<std::string_view, double*> parts[] = {{"input", &value.input},
            {"output", &value.output}, {"cache_read", &value.cache_read},
            {"cache_write", &value.cache_write}};
        for (const auto& [name, into] : parts)
            if (const auto* part = table->get(name))
                read_number(*part, fmt::format("{}.{}", key, name), *into, 0, dearest);
        for (const auto& [name, part] : *table)
            if (std::ranges::none_of(parts, [&](const auto& p) { return p.first == name.str(); }))
                refuse(part, fmt::format("{}.{}", key, name.str()), "unknown key");
        for (const auto* needed : {"input", "output"})
            if (!table->contains(needed))
                refuse(node, fmt::format("{}.{}", key, needed), "is missing");
    }

    void seek_unknown(const toml::table& table, const std::string& prefix)
    {
        for (const auto& [name, node] : table) {
            const auto full = prefix + std::string{name.str()};
            if (prefix.empty() && sections_.contains(full))
                seek_unknown(*node.as_table(), full + ".");
            else if (!known_.contains(full))
                refuse(node, full, "unknown key");
        }
    }

    const toml::table* root_;
    std::string file_;
    std::set<std::string> known_;
    std::set<std::string> sections_; // that are there
    std::multimap<toml::source_index, std::string> problems_;
};

} // namespace

base::result<config> parse_config(std::string_view text, const std::string& file)
{
    toml::table root;
    try { // toml++ tells of a syntax error by an exception
        root = toml::parse(text);
    } catch (const toml::parse_error& why) {
        return std::unexpected(base::error{errc::bad_config,
            fmt::format("{}:{}: {}", file, why.source().begin.line, why.description())});
    }
    config all;
    toml_reader reader{root, file};
    visit_keys(all, reader);
    const auto problems = reader.finish();
    if (!problems.empty())
        return std::unexpected(
            base::error{errc::bad_config, fmt::format("{}", fmt::join(problems, "\n"))});
    return all;
}

} // namespace agentd::app
