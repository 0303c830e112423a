// Which commands are refused: patterns matched on the words of each simple command. A courtesy
// to the user, no boundary; a command has the rights of the uid it runs as. Both `bash` and
// `background_run` ask here. Immutable; any thread.
//
// A pattern is a list of words separated by blanks; all of them must match one simple command.
//   NAME       first: the command's name, with or without its folder ("*": any command)
//   -rf        these short flags are given, in whatever spelling (-r -f, -fr)
//   --force    this long option is given (also --force=x and abbreviations of it)
//   >GLOB      it writes to such a file by redirection; as first word: whatever the command
//   GLOB       one of its arguments; absolute paths are compared without //, . and ..
//   A|B        either
// GLOB has *, ?, [...] and \ for a literal one; * matches / as well. A pattern after `!` is an
// exception: "!>/dev/null" for the redirection, "!sudo -l" for the whole simple command.
// What is run by env, nohup, timeout, xargs and the like, by `sh -c` and by eval is looked at, too.
#pragma once

#include "base/error.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::tools {

struct simple_command;

class policy {
public:
    // The default list: what the reference refuses.
    policy();
    // Patterns as above (`policy.deny`); errc::bad_pattern names the one that means nothing.
    [[nodiscard]] static base::result<policy> from(std::span<const std::string> patterns);
    [[nodiscard]] static std::span<const std::string_view> defaults();

    [[nodiscard]] bool allows(std::string_view command) const;

private:
    enum class kind { flags, argument, writes };
    struct term {
        kind is = kind::argument;
        std::vector<std::string> any_of;
    };
    struct rule {
        std::vector<std::string> names; // empty: any command
        std::vector<term> terms;
    };
    struct no_rules {};

    explicit policy(no_rules) {}
    base::result<> add(std::string_view pattern);
    [[nodiscard]] static base::result<rule> parse(std::string_view pattern);
    [[nodiscard]] bool refuses(const simple_command& what) const;
    [[nodiscard]] bool matches(const rule& with, const simple_command& what) const;
    [[nodiscard]] bool matches(const term& with, const simple_command& what) const;
    [[nodiscard]] bool exempt(std::string_view target) const;

    std::vector<rule> deny_;
    std::vector<rule> except_;
    std::vector<std::string> exempt_targets_;
};

} // namespace agentd::tools
