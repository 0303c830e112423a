#include "tools/policy.hpp"

#include "tools/error.hpp"
#include "tools/run_by.hpp"
#include "tools/shell_words.hpp"

#include <fmt/format.h>

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <cassert>

namespace agentd::tools {
namespace {

// What the reference refuses by substrings, as patterns of words.
constexpr std::array<std::string_view, 12> default_patterns{
    "rm -r|-R|--recursive /|/\\*",
    "sudo",
    "shutdown",
    "reboot",
    ">/dev/*",
    "!>/dev/null",
    "!>/dev/zero",
    "!>/dev/full",
    "!>/dev/stdout",
    "!>/dev/stderr",
    "!>/dev/tty",
    "!>/dev/fd/*",
};

std::vector<std::string> split(std::string_view text, char separator)
{
    std::vector<std::string> parts;
    while (true) {
        const auto end = text.find(separator);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos)
            return parts;
        text.remove_prefix(end + 1);
    }
}

std::vector<std::string> split_words(std::string_view text)
{
    auto parts = split(text, ' ');
    std::erase(parts, std::string{});
    return parts;
}

// An absolute path without empty parts, "." and ".."; other text as it is.
std::string plain_path(std::string_view path)
{
    if (!path.starts_with('/'))
        return std::string{path};
    std::vector<std::string> kept;
    for (auto& part : split(path, '/')) {
        if (part == ".." && !kept.empty())
            kept.pop_back();
        else if (!part.empty() && part != "." && part != "..")
            kept.push_back(std::move(part));
    }
    std::string out;
    for (const auto& part : kept)
        out += "/" + part;
    return out.empty() ? "/" : out;
}

bool globs(const std::string& pattern, std::string_view text)
{
    return ::fnmatch(pattern.c_str(), std::string{text}.c_str(), 0) == 0;
}

bool short_flags(std::string_view word)
{
    return word.size() > 1 && word[0] == '-' && word[1] != '-';
}

// -rf: every letter is among the short flags given, or that very word is there.
bool has_short(std::string_view wanted, std::span<const std::string> flags)
{
    std::string given;
    for (const auto& flag : flags) {
        if (flag == wanted)
            return true;
        if (short_flags(flag))
            given += flag.substr(1);
    }
    return std::ranges::all_of(
        wanted.substr(1), [&given](char letter) { return given.find(letter) != given.npos; });
}

// --force: as it is, with a value, or abbreviated to at least one letter.
bool has_long(std::string_view wanted, std::span<const std::string> flags)
{
    return std::ranges::any_of(flags, [wanted](std::string_view flag) {
        const auto name = flag.substr(0, flag.find('='));
        return name.size() > 2 && wanted.starts_with(name);
    });
}

} // namespace

policy::policy()
{
    for (const auto pattern : default_patterns) {
        [[maybe_unused]] const auto added = add(pattern);
        assert(added);
    }
}

std::span<const std::string_view> policy::defaults()
{
    return default_patterns;
}

base::result<policy> policy::from(std::span<const std::string> patterns)
{
    policy made{no_rules{}};
    for (const auto& pattern : patterns) {
        if (auto added = made.add(pattern); !added)
            return std::unexpected(std::move(added.error()));
    }
    return made;
}

base::result<> policy::add(std::string_view pattern)
{
    const bool exception = pattern.starts_with('!');
    auto parsed = parse(exception ? pattern.substr(1) : pattern);
    if (!parsed)
        return std::unexpected(std::move(parsed.error()));
    const bool only_writes = parsed->names.empty() &&
        std::ranges::all_of(parsed->terms, [](const term& t) { return t.is == kind::writes; });
    if (exception && only_writes) {
        for (const auto& each : parsed->terms)
            exempt_targets_.insert(exempt_targets_.end(), each.any_of.begin(), each.any_of.end());
    } else {
        (exception ? except_ : deny_).push_back(std::move(*parsed));
    }
    return {};
}

base::result<policy::rule> policy::parse(std::string_view pattern)
{
    const auto bad = [pattern](std::string_view why) {
        return std::unexpected(
            base::error{errc::bad_pattern, fmt::format("policy pattern \"{}\": {}", pattern, why)});
    };
    const auto words = split_words(pattern);
    if (words.empty())
        return bad("it is empty");
    rule made;
    for (std::size_t i = 0; i < words.size(); ++i) {
        std::string_view word = words[i];
        term next;
        if (word.starts_with('>')) {
            next.is = kind::writes;
            word.remove_prefix(1);
            if (word.empty() && ++i < words.size()) // "> /dev/*"
                word = words[i];
        } else if (word.starts_with('-')) {
            next.is = kind::flags;
        }
        if (word.empty() || word == "-" || word == "--")
            return bad("a word of it has nothing in it");
        next.any_of = split(word, '|');
        if (std::ranges::find(next.any_of, std::string{}) != next.any_of.end())
            return bad("there is nothing on one side of a |");
        if (made.names.empty() && made.terms.empty() && next.is == kind::flags)
            return bad("it begins with a flag, not with a command");
        if (made.names.empty() && made.terms.empty() && next.is == kind::argument)
            made.names = std::move(next.any_of);
        else
            made.terms.push_back(std::move(next));
    }
    return made;
}

bool policy::allows(std::string_view command) const
{
    auto all = simple_commands(command);
    add_run_by(all);
    return std::ranges::none_of(all, [this](const auto& each) { return refuses(each); });
}

bool policy::refuses(const simple_command& what) const
{
    const auto hits = [this, &what](const rule& each) { return matches(each, what); };
    return std::ranges::any_of(deny_, hits) && std::ranges::none_of(except_, hits);
}

bool policy::matches(const rule& with, const simple_command& what) const
{
    if (!with.names.empty()) {
        if (what.words.empty())
            return false;
        const std::string_view name = what.words.front();
        const auto is_it = [name](const std::string& wanted) {
            const bool folder = wanted.find('/') != std::string::npos;
            return globs(wanted, folder ? name : base_name(name));
        };
        if (std::ranges::none_of(with.names, is_it))
            return false;
    }
    return std::ranges::all_of(
        with.terms, [this, &what](const term& each) { return matches(each, what); });
}

bool policy::matches(const term& with, const simple_command& what) const
{
    // Flags end at "--"; the command's name is neither.
    std::vector<std::string> flags;
    std::vector<std::string> arguments;
    bool flags_ended = false;
    for (std::size_t i = 1; i < what.words.size(); ++i) {
        const auto& word = what.words[i];
        if (!flags_ended && word == "--")
            flags_ended = true;
        else if (!flags_ended && word.size() > 1 && word.starts_with('-'))
            flags.push_back(word);
        else
            arguments.push_back(plain_path(word));
    }
    const auto given = [&](const std::string& wanted) {
        if (with.is == kind::flags)
            return wanted.starts_with("--") ? has_long(wanted, flags) : has_short(wanted, flags);
        if (with.is == kind::argument)
            return std::ranges::any_of(
                arguments, [&wanted](const auto& each) { return globs(wanted, each); });
        return std::ranges::any_of(what.writes_to, [&](const auto& target) {
            const auto plain = plain_path(target);
            return globs(wanted, plain) && !exempt(plain);
        });
    };
    return std::ranges::any_of(with.any_of, given);
}

bool policy::exempt(std::string_view target) const
{
    return std::ranges::any_of(
        exempt_targets_, [target](const auto& each) { return globs(each, target); });
}

} // namespace agentd::tools
