// What somebody who looks for troubles has found: `agentd --check-state` and `agentctl doctor`
// show findings, and the second reads those of the first. Pure; any thread.
#pragma once

#include "base/error.hpp"
#include "proto/json/reader.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace agentd::proto::api {

// ok: as it should be; note: worth knowing; warning: works, and will not for ever; error: does
// not work; not_checked: could not be looked at.
enum class verdict { ok, note, warning, error, not_checked };
[[nodiscard]] std::string_view to_string(verdict);
[[nodiscard]] std::optional<verdict> verdict_from(std::string_view);

struct finding {
    std::string check; // what was looked at: "lock", "database.schema", ...
    api::verdict verdict = api::verdict::ok;
    std::string text;
    std::string advice; // what to do about it; empty: nothing
};

void append_json(std::string& out, const finding& value);
// Errors: json::errc.
[[nodiscard]] base::result<finding> finding_from(const json::value& from);

} // namespace agentd::proto::api
