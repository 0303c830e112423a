// Inside the matcher: what a text holds or lacks, in words. Wanted parts may hold `${name}`.
// Pure; any thread.
#pragma once

#include "substitute.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::testing {

/// What is not as expected; nothing: all is.
using finding = std::optional<std::string>;

/// In quotation marks, cut when it is long.
std::string quoted(std::string_view text);

/// The first part that is not in the text. `field` names the expectation, here and below.
finding lacks(std::string_view field, const std::vector<std::string>& parts, std::string_view text,
    const variables& known);

/// The first part that is in the text.
finding must_hold(std::string_view field, const std::vector<std::string>& parts,
    std::string_view text, const variables& known);

/// The first part that is not behind those before it.
finding lacks_order(std::string_view field, const std::vector<std::string>& parts,
    std::string_view text, const variables& known);

/// The first part that is not there exactly once.
finding not_once(
    const std::vector<std::string>& parts, std::string_view text, const variables& known);

/// The first regex without a match.
finding lacks_matches(
    const std::vector<std::string>& patterns, std::string_view text, const variables& known);

/// What the first group of a regex matched (the whole match, if it has none).
std::optional<std::string> first_group(std::string_view in, const std::string& pattern);

} // namespace agentd::testing
