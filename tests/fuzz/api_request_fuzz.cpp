// What clients of the local API send: targets with their queries, and the bodies of submits and
// messages. What is accepted is within the bounds, what is refused names the field.
#include "api/request.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "proto/api/parse.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>

namespace {

using namespace agentd;
using fuzz::must;
namespace wire = proto::api;

void check_refusal(const base::error& why)
{
    must(base::is_utf8(why.text), "a refusal is text");
    must(why.is(wire::errc::malformed) || why.text.starts_with("field \""),
        "a refusal names the field");
}

void check_submit(std::string_view body)
{
    const auto asked = wire::parse_submit(body);
    if (!asked)
        return check_refusal(asked.error());
    must(!asked->prompt.empty() && asked->prompt.size() <= limits::prompt_bytes, "a prompt");
    must(!asked->session_id || (!asked->workdir && !asked->system), "a session has its own");
    must(!asked->workdir || asked->workdir->starts_with('/'), "a folder is absolute");
    must(asked->env.size() <= limits::task_env && asked->labels.size() <= limits::labels, "few");
    for (const auto& [name, value] : asked->env)
        must(!name.starts_with("AGENTD_") && name.find('=') == std::string::npos &&
                value.find('\0') == std::string::npos,
            "a variable can be one");
    for (const auto& [key, value] : asked->labels)
        must(wire::is_label_key(key) && value.size() <= limits::label_value_bytes, "a label");
}

void check_target(std::string_view target)
{
    api::request into;
    if (!api::take_target(into, target))
        return;
    for (const auto& segment : into.path)
        must(base::is_utf8(segment) && segment.find('\0') == std::string::npos, "a segment");
    api::parameters parameters{into};
    constexpr std::uint64_t least = 1;
    constexpr std::uint64_t most = 200;
    const auto limit = parameters.number("limit", least, least, most);
    const auto labels = parameters.all("label");
    const auto states = parameters.list("state");
    const bool follow = parameters.flag("follow");
    const auto after = parameters.text("after");
    must(labels.size() + states.size() <= target.size(), "no parameter comes of nothing");
    const auto wrong = parameters.wrong();
    if (wrong) {
        must(base::is_utf8(wrong->text) && wrong->text.starts_with("field \""),
            "what is wrong with a parameter is said");
        return;
    }
    must(limit >= least && limit <= most, "a number is in its bounds");
    must(!follow || into.query.size() >= 1, "a flag was given");
    must(after.size() <= target.size(), "a text is what was given");
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace agentd;
    const auto bytes = fuzz::as_text(data, size);
    if (bytes.starts_with('/'))
        check_target(bytes);
    check_submit(bytes);
    if (const auto text = wire::parse_message(bytes); !text)
        check_refusal(text.error());
    else
        fuzz::must(
            !text->empty() && text->size() <= limits::prompt_bytes, "a message is in its bounds");
    return 0;
}
