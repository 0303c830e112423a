// A shell command's text taken apart into its simple commands: their words without quotes and
// the files they write by redirection. It knows quoting, separators, subshells, substitutions,
// redirections, here-documents, reserved words and assignments; it expands nothing. For the
// policy, which is a courtesy: what it does not understand passes. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace agentd::tools {

// "A=1 /bin/ls -l 2>x": words {"/bin/ls", "-l"}, writes_to {"x"}.
struct simple_command {
    std::vector<std::string> words;     // the command's name and its arguments; may be empty
    std::vector<std::string> writes_to; // targets of > >> >| &> <>
};

// All simple commands of `text`, those inside $(...), `...`, <(...) and subshells too. Time and
// memory are linear in `text`, nesting beyond a fixed depth counts as text.
[[nodiscard]] std::vector<simple_command> simple_commands(std::string_view text);

// Behind the last slash: the name of a command that was written with its path.
[[nodiscard]] std::string_view base_name(std::string_view path);

} // namespace agentd::tools
