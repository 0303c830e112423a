// Short forms for the scenarios of these tests (scripted_model/README.md): a conversation
// for one prompt, its steps, the blocks of a reply.
#pragma once

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace agentd::testing {

namespace js = boost::json;

inline js::value say(std::string_view text)
{
    return {{"type", "text"}, {"text", text}};
}

inline js::value use(std::string_view tool, js::object input)
{
    js::object block;
    block["type"] = "tool_use";
    block["name"] = tool;
    block["input"] = std::move(input);
    return block;
}

inline js::value background(std::string_view command)
{
    return use("background_run", {{"command", command}});
}

// A step that answers with these blocks; `more` has expect, capture, or members of the reply
// under "reply".
inline js::value step(std::vector<js::value> blocks, js::object more = {})
{
    js::object one;
    js::object reply;
    if (auto* own = more.if_contains("reply"))
        reply = own->as_object();
    reply["content"] = js::array(blocks.begin(), blocks.end());
    for (const auto& [key, value] : more)
        one[key] = value;
    one["reply"] = std::move(reply);
    return one;
}

inline js::object expects(std::vector<std::string_view> parts)
{
    js::array all;
    for (const auto part : parts)
        all.emplace_back(part);
    js::object expect;
    expect["contains"] = std::move(all);
    js::object more;
    more["expect"] = std::move(expect);
    return more;
}

inline js::value conversation(
    std::string_view prompt, std::vector<js::value> steps, js::object more = {})
{
    js::object one = std::move(more);
    js::object match;
    match["prompt"] = prompt;
    one["match"] = std::move(match);
    one["steps"] = js::array(steps.begin(), steps.end());
    return one;
}

inline std::string scenario(std::vector<js::value> conversations, js::object more = {})
{
    js::object all = std::move(more);
    all["conversations"] = js::array(conversations.begin(), conversations.end());
    return js::serialize(all);
}

} // namespace agentd::testing
