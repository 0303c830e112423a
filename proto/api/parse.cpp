// The bodies of requests, field by field; see parse.hpp.
#include "proto/api/parse.hpp"

#include "base/limits.hpp"
#include "proto/json/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

namespace agentd::proto::api {
namespace {

constexpr std::size_t label_key_chars = 63;
constexpr std::size_t id_chars = 12; // "s_" and ten
constexpr std::size_t id_prefix_chars = 4;
constexpr std::int64_t most_turns = 1'000'000;
constexpr std::int64_t longest_timeout_s = 10LL * 366 * 24 * 3600; // more is a mistake
constexpr std::int64_t most_tokens = 1'000'000'000'000;
constexpr double highest_budget_usd = 1e9;
constexpr int highest_priority = 100;

base::error refuse(errc code, std::string_view field, std::string_view reason)
{
    return {code, fmt::format("field \"{}\": {}", field, reason)};
}

// Reads fields of one body one after another; after the first wrong one nothing counts.
class fields {
public:
    explicit fields(json::object body) : body_(std::move(body)) {}

    void only(std::initializer_list<std::string_view> names) { keep(body_.allow_only(names)); }
    [[nodiscard]] std::string text(std::string_view name) { return take(body_.string(name)); }
    [[nodiscard]] std::optional<std::string> maybe_text(std::string_view name)
    {
        return take(body_.optional_string(name));
    }
    [[nodiscard]] std::optional<std::int64_t> maybe_integer(
        std::string_view name, std::int64_t least, std::int64_t most)
    {
        return take(body_.optional_integer(name, least, most));
    }
    [[nodiscard]] std::optional<double> maybe_number(
        std::string_view name, double least, double most)
    {
        return take(body_.optional_number(name, least, most));
    }
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> texts(std::string_view name)
    {
        auto all = take(body_.optional_string_map(name));
        return all ? std::move(*all) : std::vector<std::pair<std::string, std::string>>{};
    }

    void wrong(base::error why)
    {
        if (!wrong_)
            wrong_ = std::move(why);
    }
    [[nodiscard]] const std::optional<base::error>& first_wrong() const { return wrong_; }

private:
    void keep(base::result<> outcome)
    {
        if (!outcome)
            wrong(translated(std::move(outcome.error())));
    }
    template <class T>
    T take(base::result<T> found)
    {
        if (found)
            return std::move(*found);
        wrong(translated(std::move(found.error())));
        return T{};
    }

    json::object body_;
    std::optional<base::error> wrong_;
};

bool has_nul(std::string_view text)
{
    return text.find('\0') != std::string_view::npos;
}

// A text that goes to the model: something in it, within the bound.
void check_prose(fields& in, std::string_view name, std::string_view text)
{
    if (text.size() > limits::prompt_bytes)
        in.wrong(refuse(errc::too_large, name,
            fmt::format(
                "has {} bytes, at most {} are allowed", text.size(), limits::prompt_bytes)));
    else if (text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos)
        in.wrong(invalid(name, "must not be empty or blank"));
}

bool is_session_id(std::string_view text)
{
    constexpr std::string_view alphabet{"abcdefghijklmnopqrstuvwxyz234567"};
    return text.size() >= id_prefix_chars && text.size() <= id_chars && text.starts_with("s_") &&
        text.find_first_not_of(alphabet, 2) == std::string_view::npos;
}

void check_names(fields& in, const submit_request& what)
{
    if (what.session_id && !is_session_id(what.session_id->str()))
        in.wrong(invalid("session_id",
            "must be the id of a session (s_...) or its first "
            "characters, at least 4"));
    if (what.session_id && what.workdir)
        in.wrong(invalid("workdir", "goes not with session_id: the session has one"));
    if (what.session_id && what.system)
        in.wrong(invalid("system", "goes not with session_id: the session has one"));
    if (what.workdir) {
        if (!what.workdir->starts_with('/') || has_nul(*what.workdir))
            in.wrong(invalid("workdir", "must be an absolute path"));
        else if (what.workdir->size() > limits::workdir_bytes)
            in.wrong(invalid(
                "workdir", fmt::format("must have at most {} bytes", limits::workdir_bytes)));
    }
    if (what.model && (what.model->empty() || what.model->size() > limits::model_name_bytes))
        in.wrong(
            invalid("model", fmt::format("must have 1 to {} bytes", limits::model_name_bytes)));
}

bool is_env_name(std::string_view name)
{
    const auto letter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    };
    const auto later = [letter](char c) { return letter(c) || (c >= '0' && c <= '9'); };
    return !name.empty() && letter(name.front()) && std::ranges::all_of(name, later);
}

// Why the variable is refused; empty: it is not.
std::string env_fault(std::string_view name, std::string_view value)
{
    if (!is_env_name(name) || name.size() > limits::env_name_bytes)
        return fmt::format("must be a name of letters, digits and _ with at most {} of them",
            limits::env_name_bytes);
    if (name.starts_with("AGENTD_") || name.starts_with("ANTHROPIC_"))
        return "must not begin with AGENTD_ or ANTHROPIC_";
    if (has_nul(value))
        return "must not have a NUL in its value";
    if (value.size() > limits::env_value_bytes)
        return fmt::format("must have at most {} bytes in its value", limits::env_value_bytes);
    return {};
}

void read_env(fields& in, submit_request& what)
{
    auto all = in.texts("env");
    if (all.size() > limits::task_env) {
        in.wrong(invalid("env",
            fmt::format("has {} variables, at most {} are allowed", all.size(), limits::task_env)));
        return;
    }
    std::size_t bytes = 0;
    for (auto& [name, value] : all) {
        const std::string fault = env_fault(name, value);
        if (!fault.empty())
            in.wrong(invalid(fmt::format("env.{}", name), fault));
        bytes += name.size() + value.size();
        what.env.emplace(std::move(name), std::move(value));
    }
    if (bytes > limits::env_bytes)
        in.wrong(invalid(
            "env", fmt::format("has {} bytes, at most {} are allowed", bytes, limits::env_bytes)));
}

void read_labels(fields& in, submit_request& what)
{
    auto all = in.texts("labels");
    if (all.size() > limits::labels) {
        in.wrong(invalid("labels",
            fmt::format("has {} labels, at most {} are allowed", all.size(), limits::labels)));
        return;
    }
    for (auto& [key, value] : all) {
        if (!is_label_key(key))
            in.wrong(invalid(fmt::format("labels.{}", key),
                fmt::format(
                    "must have a key of 1 to {} characters of a-z 0-9 _ . -", label_key_chars)));
        else if (value.size() > limits::label_value_bytes)
            in.wrong(invalid(fmt::format("labels.{}", key),
                fmt::format("has {} bytes, at most {} are allowed", value.size(),
                    limits::label_value_bytes)));
        what.labels.emplace(std::move(key), std::move(value));
    }
}

void read_bounds(fields& in, submit_request& what)
{
    what.max_turns = in.maybe_integer("max_turns", 1, most_turns);
    what.timeout_s = in.maybe_integer("timeout_s", 0, longest_timeout_s);
    what.budget_usd = in.maybe_number("budget_usd", 0, highest_budget_usd);
    what.max_tokens_total = in.maybe_integer("max_tokens_total", 1, most_tokens);
    what.priority = static_cast<int>(
        in.maybe_integer("priority", -highest_priority, highest_priority).value_or(0));
    if (const auto name = in.maybe_text("jobs_at_end")) {
        const auto value = jobs_at_end_from(*name);
        if (!value)
            in.wrong(invalid("jobs_at_end", "must be wait, detach or kill"));
        what.jobs_at_end = value.value_or(jobs_at_end::wait);
    }
}

} // namespace

base::error invalid(std::string_view field, std::string_view reason)
{
    return refuse(errc::invalid_field, field, reason);
}

base::error translated(base::error from)
{
    const bool whole = field_named_in(from.text).empty();
    return {whole ? errc::malformed : errc::invalid_field, std::move(from.text)};
}

std::string_view error_text(errc value)
{
    switch (value) {
    case errc::malformed: return "the body is not a JSON object";
    case errc::too_large: return "a field is too large";
    case errc::invalid_field: return "a field is not valid";
    }
    return "unknown";
}

bool is_label_key(std::string_view key)
{
    constexpr std::string_view alphabet{"abcdefghijklmnopqrstuvwxyz0123456789_.-"};
    return !key.empty() && key.size() <= label_key_chars &&
        key.find_first_not_of(alphabet) == std::string_view::npos;
}

std::string_view field_named_in(std::string_view text)
{
    constexpr std::string_view before{"field \""};
    if (!text.starts_with(before))
        return {};
    text.remove_prefix(before.size());
    const auto end = text.find("\": ");
    return end == std::string_view::npos ? std::string_view{} : text.substr(0, end);
}

base::result<submit_request> parse_submit(std::string_view body)
{
    auto object = json::parse_object(body);
    if (!object)
        return std::unexpected(translated(std::move(object.error())));
    fields in{std::move(*object)};
    in.only({"prompt", "session_id", "workdir", "system", "model", "env", "max_turns", "timeout_s",
        "budget_usd", "max_tokens_total", "jobs_at_end", "priority", "labels"});
    submit_request what;
    what.prompt = in.text("prompt");
    check_prose(in, "prompt", what.prompt);
    if (auto id = in.maybe_text("session_id"))
        what.session_id = base::session_id{std::move(*id)};
    what.workdir = in.maybe_text("workdir");
    what.system = in.maybe_text("system");
    if (what.system)
        check_prose(in, "system", *what.system);
    what.model = in.maybe_text("model");
    check_names(in, what);
    read_env(in, what);
    read_bounds(in, what);
    read_labels(in, what);
    if (in.first_wrong())
        return std::unexpected(*in.first_wrong());
    return what;
}

base::result<std::string> parse_message(std::string_view body)
{
    auto object = json::parse_object(body);
    if (!object)
        return std::unexpected(translated(std::move(object.error())));
    fields in{std::move(*object)};
    in.only({"text"});
    std::string text = in.text("text");
    check_prose(in, "text", text);
    if (in.first_wrong())
        return std::unexpected(*in.first_wrong());
    return text;
}

} // namespace agentd::proto::api
