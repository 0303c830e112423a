#include "proto/api/finding.hpp"

#include "proto/json/writer.hpp"

#include <array>

namespace agentd::proto::api {
namespace {

constexpr std::array all{
    verdict::ok, verdict::note, verdict::warning, verdict::error, verdict::not_checked};

} // namespace

std::string_view to_string(verdict value)
{
    switch (value) {
    case verdict::ok: return "ok";
    case verdict::note: return "note";
    case verdict::warning: return "warning";
    case verdict::error: return "error";
    case verdict::not_checked: return "not_checked";
    }
    return "unknown";
}

std::optional<verdict> verdict_from(std::string_view name)
{
    for (const auto value : all)
        if (to_string(value) == name)
            return value;
    return std::nullopt;
}

void append_json(std::string& out, const finding& value)
{
    json::object_writer to{out};
    to.member("check", value.check).member("verdict", to_string(value.verdict));
    to.member("text", value.text);
    if (value.advice.empty())
        to.null("advice");
    else
        to.member("advice", value.advice);
}

base::result<finding> finding_from(const json::value& from)
{
    const auto* check = from.find_string("check");
    const auto* name = from.find_string("verdict");
    const auto* text = from.find_string("text");
    const auto* advice = from.find_string("advice");
    const auto verdict = name == nullptr ? std::nullopt : verdict_from(*name);
    if (check == nullptr || text == nullptr || !verdict)
        return std::unexpected(base::error{json::errc::wrong_type, "this is no finding"});
    return finding{*check, *verdict, *text, advice == nullptr ? std::string{} : *advice};
}

} // namespace agentd::proto::api
