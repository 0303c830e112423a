#include "tools/run_by.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace agentd::tools {
namespace {

// A command whose arguments are a command: which of its flags take a value of their own, and
// how many operands stand in front of the command.
struct wrapper {
    std::string_view name;
    std::string_view valued_flags;
    std::size_t operands = 0;
};

constexpr std::array<wrapper, 17> wrappers{{
    {"builtin", ""},
    {"busybox", ""},
    {"chrt", "", 1},
    {"command", ""},
    {"doas", "uC"},
    {"env", "uCS"},
    {"exec", "a"},
    {"ionice", "cn"},
    {"nice", "n"},
    {"nohup", ""},
    {"setsid", ""},
    {"stdbuf", "ioe"},
    {"strace", "eops"},
    {"sudo", "ugChpTrt"},
    {"time", "fo"},
    {"timeout", "sk", 1},
    {"xargs", "aEIdLnPs"},
}};

constexpr std::array<std::string_view, 6> shells{"sh", "bash", "dash", "zsh", "ksh", "ash"};

// Each round looks at what the round before has found.
constexpr int rounds = 8;

bool assigns(std::string_view word)
{
    return word.find('=') != std::string_view::npos && !word.starts_with('=');
}

// The command behind a wrapper, its flags, assignments and operands.
std::optional<simple_command> behind(const wrapper& front, const simple_command& what)
{
    std::size_t operands = front.operands;
    for (std::size_t i = 1; i < what.words.size(); ++i) {
        const std::string_view word = what.words[i];
        if (word == "--")
            continue;
        if (word.size() > 1 && word.starts_with('-')) {
            const bool valued =
                word.size() == 2 && front.valued_flags.find(word[1]) != std::string_view::npos;
            i += valued ? 1 : 0;
        } else if (operands > 0 && !assigns(word)) {
            --operands;
        } else if (!assigns(word)) {
            simple_command found;
            found.words.assign(
                std::next(what.words.begin(), static_cast<std::ptrdiff_t>(i)), what.words.end());
            return found;
        }
    }
    return std::nullopt;
}

// The text that a shell gets by -c (also -lc and the like), or eval by its arguments.
std::optional<std::string> script_of(const simple_command& what)
{
    const auto name = base_name(what.words.front());
    std::string text;
    if (name == "eval") {
        for (std::size_t i = 1; i < what.words.size(); ++i)
            text += what.words[i] + " ";
        return text;
    }
    if (std::ranges::find(shells, name) == shells.end())
        return std::nullopt;
    bool script = false;
    for (std::size_t i = 1; i < what.words.size(); ++i) {
        const std::string_view word = what.words[i];
        const bool flags = word.size() > 1 && (word[0] == '-' || word[0] == '+');
        if (!flags)
            return script ? std::optional{what.words[i]} : std::nullopt;
        script = script || (word[1] != '-' && word.find('c') != std::string_view::npos);
    }
    return std::nullopt;
}

// What one command runs.
std::vector<simple_command> run_by(const simple_command& what)
{
    if (what.words.empty())
        return {};
    if (const auto script = script_of(what))
        return simple_commands(*script);
    const auto front = std::ranges::find(wrappers, base_name(what.words.front()), &wrapper::name);
    if (front == wrappers.end())
        return {};
    std::vector<simple_command> found;
    if (auto inner = behind(*front, what))
        found.push_back(std::move(*inner));
    return found;
}

} // namespace

void add_run_by(std::vector<simple_command>& all)
{
    std::size_t looked_at = 0;
    for (int round = 0; round < rounds; ++round) {
        const std::size_t end = all.size();
        for (; looked_at < end; ++looked_at) {
            auto found = run_by(all[looked_at]);
            std::ranges::move(found, std::back_inserter(all));
        }
    }
}

} // namespace agentd::tools
