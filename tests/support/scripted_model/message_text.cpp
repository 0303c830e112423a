// See message_text.hpp. Pure; any thread.
#include "message_text.hpp"

#include <boost/json/serialize.hpp>

namespace agentd::testing {

namespace json = boost::json;

std::string_view text_field(const json::object& object, std::string_view name)
{
    const auto* value = object.if_contains(name);
    const auto* text = value == nullptr ? nullptr : value->if_string();
    return text == nullptr ? std::string_view{} : std::string_view{*text};
}

const json::array* list_field(const json::object& object, std::string_view name)
{
    const auto* value = object.if_contains(name);
    return value == nullptr ? nullptr : value->if_array();
}

const json::array* blocks_of(const json::value& message)
{
    const auto* object = message.if_object();
    return object == nullptr ? nullptr : list_field(*object, "content");
}

std::string_view type_of(const json::value& block)
{
    const auto* object = block.if_object();
    return object == nullptr ? std::string_view{} : text_field(*object, "type");
}

std::vector<std::string> plain_texts(const json::value& message)
{
    std::vector<std::string> texts;
    const auto* object = message.if_object();
    if (object == nullptr)
        return texts;
    const auto* blocks = list_field(*object, "content");
    if (blocks == nullptr) {
        texts.emplace_back(text_field(*object, "content"));
        return texts;
    }
    for (const auto& block : *blocks)
        if (type_of(block) == "text")
            texts.emplace_back(text_field(block.get_object(), "text"));
    return texts;
}

std::string result_text(const json::object& tool_result)
{
    const auto* parts = list_field(tool_result, "content");
    if (parts == nullptr)
        return std::string{text_field(tool_result, "content")};
    std::vector<std::string> texts;
    for (const auto& part : *parts)
        if (type_of(part) == "text")
            texts.emplace_back(text_field(part.get_object(), "text"));
    return joined(texts);
}

std::string all_text(const json::value& message)
{
    const auto* blocks = blocks_of(message);
    if (blocks == nullptr)
        return joined(plain_texts(message));
    std::vector<std::string> texts;
    for (const auto& block : *blocks) {
        auto type = type_of(block);
        if (type == "text")
            texts.emplace_back(text_field(block.get_object(), "text"));
        else if (type == "tool_result")
            texts.push_back(result_text(block.get_object()));
        else if (type == "thinking")
            texts.emplace_back(text_field(block.get_object(), "thinking"));
        else
            texts.push_back(json::serialize(block));
    }
    return joined(texts);
}

std::string joined(const std::vector<std::string>& texts)
{
    std::string all;
    for (const auto& text : texts) {
        if (&text != &texts.front())
            all.push_back('\n');
        all.append(text);
    }
    return all;
}

std::string shortened(std::string_view text, std::size_t limit)
{
    if (text.size() <= limit)
        return std::string{text};
    while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0U) == 0x80U)
        --limit;
    return std::string{text.substr(0, limit)} + "... (" + std::to_string(text.size() - limit) +
        " bytes more)";
}

} // namespace agentd::testing
