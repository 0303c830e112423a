#include "tests/fuzz/reply_check.hpp"

#include "base/text.hpp"
#include "proto/json/reader.hpp"
#include "proto/messages/encode.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace agentd::fuzz {
namespace {

namespace json = proto::json;
namespace messages = proto::messages;

// The worst is an input that is no JSON: each of its bytes may need six in a JSON string, and it
// is kept as it came, too.
constexpr std::size_t most_growth = 16;
constexpr std::size_t block_frame = 256;

void check_tool(const messages::block& block, const json::object& echoed)
{
    const auto* input = echoed.find("input");
    must(
        input != nullptr && input->is(json::kind::object), "a tool's input is echoed as an object");
    if (block.input_is != messages::input_state::complete)
        return;
    must(json::parse_object(block.input).has_value(), "a complete input is a JSON object");
    must(input->raw() == block.input, "what is run is what is echoed");
}

} // namespace

void check_reply(const messages::reply& made, std::size_t received)
{
    std::vector<std::string> blocks;
    std::size_t bytes = 0;
    for (const auto& block : made.content) {
        const auto echoed = json::parse_object(block.raw);
        must(echoed.has_value(), "a block's echo is strict JSON");
        must(base::is_utf8(block.text), "a text is UTF-8");
        if (block.kind == messages::block_kind::tool_use)
            check_tool(block, *echoed);
        bytes += block.raw.size() + block.text.size() + block.input.size();
        blocks.push_back(block.raw);
    }
    must(bytes <= most_growth * received + block_frame * made.content.size(),
        "a reply is not much larger than its bytes");
    const auto content = messages::content_of(blocks);
    const auto ids = messages::tool_use_ids(content);
    must(ids.has_value(), "the content that is stored can be read again");
    for (const auto& id : *ids)
        must(std::ranges::any_of(made.content, [&](const auto& block) { return block.id == id; }),
            "every call that is stored is one of the reply's");
    must(messages::text_of(content).has_value(), "the text that is stored can be read again");
}

std::string describe(const messages::reply& made)
{
    std::string all = fmt::format("{}|{}|{}|{}|{}|{}\n", made.id, made.model, made.stop_reason,
        made.stop_sequence, made.refusal_explanation, made.replayable);
    for (const auto& count :
        {made.usage.input, made.usage.output, made.usage.cache_read, made.usage.cache_write})
        all += fmt::format("{} ", count.value_or(-1));
    for (const auto& block : made.content)
        all += fmt::format("\n{}|{}|{}|{}|{}|{}|{}", static_cast<int>(block.kind), block.raw,
            block.text, block.id, block.name, block.input, static_cast<int>(block.input_is));
    return all;
}

} // namespace agentd::fuzz
