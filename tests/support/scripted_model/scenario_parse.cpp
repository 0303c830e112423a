// Reads a scenario file into the values of scenario.hpp. Strict: an unknown key, a wrong
// type or a broken regex is an error with its path, never ignored: a misspelt expectation
// would make a test pass that checks nothing. Pure but for load_scenario; any thread.
#include "object_reader.hpp"
#include "scenario.hpp"
#include "scenario_reply.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>

namespace agentd::testing {

namespace json = boost::json;

namespace {

constexpr std::size_t deepest_scenario = 64;

std::string indexed(const std::string& path, std::size_t i)
{
    return path + "[" + std::to_string(i) + "]";
}

// Captured texts are not known yet: any text stands for them.
std::string without_names(std::string pattern)
{
    for (auto at = pattern.find("${"); at != pattern.npos; at = pattern.find("${", at + 1)) {
        auto end = pattern.find('}', at);
        if (end != pattern.npos)
            pattern.replace(at, end - at + 1, "x");
    }
    return pattern;
}

void check_regex(
    const std::string& pattern, unsigned groups, const std::string& path, fault_list& faults)
{
    try {
        std::regex compiled{without_names(pattern)};
        if (compiled.mark_count() < groups)
            faults.push_back(path + ": needs one group");
    } catch (const std::regex_error& broken) { // std::regex has no other way to say so
        faults.push_back(path + ": " + broken.what());
    }
}

std::vector<result_expectation> read_results(
    const json::value& value, const std::string& path, fault_list& faults)
{
    std::vector<result_expectation> all;
    const auto* list = value.if_array();
    if (list == nullptr) {
        faults.push_back(path + ": must be a list");
        return all;
    }
    for (std::size_t i = 0; i < list->size(); ++i) {
        object_reader from{(*list)[i], indexed(path, i), faults};
        auto& result = all.emplace_back();
        from.take("contains", result.contains);
        from.take("not_contains", result.not_contains);
        from.take("is_error", result.is_error);
        from.finish();
    }
    return all;
}

void read_header_expectations(object_reader& from, expectation& out)
{
    json::object headers;
    from.take("headers", headers);
    for (const auto& member : headers) {
        std::string name{member.key()};
        std::ranges::transform(name, name.begin(),
            [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
        if (member.value().is_null())
            out.headers.emplace_back(name, std::nullopt);
        else if (const auto* text = member.value().if_string())
            out.headers.emplace_back(name, std::string{*text});
        else
            from.fault("headers", "must hold strings, or null for a header that must be absent");
    }
}

expectation read_expectation(const json::value& value, const std::string& path, fault_list& faults)
{
    expectation out;
    object_reader from{value, path, faults};
    from.take("contains", out.contains);
    from.take("not_contains", out.not_contains);
    from.take("contains_in_order", out.contains_in_order);
    from.take("matches", out.matches);
    from.take("history_contains", out.history_contains);
    from.take("history_not_contains", out.history_not_contains);
    from.take("history_in_order", out.history_in_order);
    from.take("history_once", out.history_once);
    from.take("system_contains", out.system_contains);
    from.take("tools", out.tools);
    from.take("model", out.model);
    from.take("last_block_type", out.last_block_type);
    from.take("message_count", out.message_count);
    from.take("max_tokens", out.max_tokens);
    from.take("stream", out.stream);
    read_header_expectations(from, out);
    if (const auto* results = from.child("tool_results"))
        out.tool_results = read_results(*results, from.path_of("tool_results"), faults);
    for (const auto& pattern : out.matches)
        check_regex(pattern, 0, from.path_of("matches"), faults);
    from.finish();
    return out;
}

step read_step(const json::value& value, const std::string& path, fault_list& faults)
{
    step out;
    object_reader from{value, path, faults};
    if (const auto* expect = from.child("expect"))
        out.expect = read_expectation(*expect, from.path_of("expect"), faults);
    if (const auto* until = from.child("repeat_until"))
        out.repeat_until = read_expectation(*until, from.path_of("repeat_until"), faults);
    json::object capture;
    from.take("capture", capture);
    for (const auto& member : capture) {
        const auto* pattern = member.value().if_string();
        if (pattern == nullptr) {
            from.fault("capture", "must hold regexes");
            continue;
        }
        std::string text{*pattern};
        check_regex(text, 1, from.path_of("capture"), faults);
        out.capture.emplace_back(member.key(), std::move(text));
    }
    from.take("times", out.times);
    if (out.times == 0)
        from.fault("times", "must be at least 1");
    if (const auto* answer = from.child("reply"))
        out.answer = read_reply(*answer, from.path_of("reply"), faults);
    else
        from.fault("reply", "missing");
    from.finish();
    return out;
}

void read_append_rule(object_reader& from, append_rule& out)
{
    const auto* value = from.child("strict_append");
    if (value == nullptr)
        return;
    if (value->is_bool())
        out = value->get_bool() ? append_rule::strict : append_rule::off;
    else if (value->is_string() && value->get_string() == "extendable")
        out = append_rule::extendable;
    else
        from.fault("strict_append", "must be true, false or \"extendable\"");
}

script read_script(
    const json::value& value, const std::string& path, bool needs_match, fault_list& faults)
{
    script out;
    object_reader from{value, path, faults};
    from.take("key", out.key);
    if (const auto* match = from.child("match")) {
        object_reader inner{*match, from.path_of("match"), faults};
        inner.take("prompt", out.prompt);
        inner.finish();
    } else if (needs_match) {
        from.fault("match", "missing");
    }
    if (out.key.empty())
        out.key = out.prompt.empty() ? "default" : out.prompt;
    read_append_rule(from, out.append);
    std::string then = "error";
    from.take("then", then);
    out.repeat_last = then == "repeat_last";
    if (then != "repeat_last" && then != "error")
        from.fault("then", "must be \"repeat_last\" or \"error\"");
    json::array steps;
    from.take("steps", steps);
    if (steps.empty())
        from.fault("steps", "must hold at least one step");
    for (std::size_t i = 0; i < steps.size(); ++i)
        out.steps.push_back(read_step(steps[i], indexed(from.path_of("steps"), i), faults));
    from.finish();
    return out;
}

const std::vector<std::string>& usual_models()
{
    static const std::vector<std::string> models{"claude-fable-5-2", "claude-mythos-5-2",
        "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5",
        "claude-sonnet-5", "claude-opus-4-8", "claude-opus-4-7", "claude-opus-4-6",
        "claude-opus-4-5", "claude-sonnet-4-6", "claude-sonnet-4-5", "claude-haiku-4-5",
        "scripted"};
    return models;
}

scenario read_scenario(const json::value& value, fault_list& faults)
{
    scenario out;
    object_reader from{value, "", faults};
    json::array conversations;
    from.take("conversations", conversations);
    for (std::size_t i = 0; i < conversations.size(); ++i)
        out.scripts.push_back(
            read_script(conversations[i], indexed("conversations", i), true, faults));
    if (const auto* fallback = from.child("default"))
        out.scripts.push_back(read_script(*fallback, "default", false, faults));
    if (out.scripts.empty())
        from.fault("conversations", "must hold at least one conversation (or give a \"default\")");
    from.take("models", out.models);
    if (out.models.empty())
        out.models = usual_models();
    from.take("max_body_bytes", out.max_body_bytes);
    if (const auto* too_large = from.child("too_large"))
        out.too_large = read_reply(*too_large, "too_large", faults);
    from.take("idle_close_ms", out.idle_close);
    std::string comment; // a place for the author's words
    from.take("comment", comment);
    from.finish();
    return out;
}

} // namespace

std::expected<scenario, std::string> parse_scenario(std::string_view text)
{
    json::parse_options options;
    options.max_depth = deepest_scenario;
    boost::system::error_code error;
    auto value = json::parse({text.data(), text.size()}, error, {}, options);
    if (error)
        return std::unexpected("no JSON: " + error.message());
    fault_list faults;
    auto out = read_scenario(value, faults);
    if (faults.empty())
        return out;
    std::string all;
    for (const auto& fault : faults)
        all += (all.empty() ? "" : "\n") + fault;
    return std::unexpected(all);
}

std::expected<scenario, std::string> load_scenario(const std::string& file)
{
    std::ifstream in{file, std::ios::binary};
    if (!in)
        return std::unexpected("cannot open scenario " + file);
    std::ostringstream text;
    text << in.rdbuf();
    auto parsed = parse_scenario(text.str());
    if (!parsed)
        return std::unexpected("scenario " + file + ":\n" + parsed.error());
    return parsed;
}

scenario plain_scenario()
{
    auto parsed = parse_scenario(
        R"({"default":{"steps":[{"reply":{"content":[{"type":"text","text":"Hello."}]}}],)"
        R"("then":"repeat_last"}})");
    return parsed ? *parsed : scenario{};
}

} // namespace agentd::testing
