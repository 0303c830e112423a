// See substitute.hpp. Pure; any thread.
#include "substitute.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <utility>

namespace agentd::testing {

namespace json = boost::json;

std::string substituted(std::string_view text, const variables& known)
{
    std::string out;
    for (;;) {
        auto begin = text.find("${");
        auto end = begin == std::string_view::npos ? begin : text.find('}', begin);
        if (end == std::string_view::npos)
            return out.append(text);
        out.append(text.substr(0, begin));
        auto found = known.find(text.substr(begin + 2, end - begin - 2));
        if (found == known.end()) { // not ours: only the "${" is passed, more may follow in it
            out.append("${");
            text.remove_prefix(begin + 2);
        } else {
            out.append(found->second);
            text.remove_prefix(end + 1);
        }
    }
}

json::value substituted(const json::value& value, const variables& known)
{
    if (const auto* text = value.if_string())
        return json::value(substituted(std::string_view{*text}, known));
    if (const auto* list = value.if_array()) {
        json::array out;
        out.reserve(list->size());
        for (const auto& item : *list)
            out.push_back(substituted(item, known));
        return json::value(std::move(out));
    }
    if (const auto* object = value.if_object()) {
        json::object out;
        out.reserve(object->size());
        for (const auto& member : *object)
            out.emplace(member.key(), substituted(member.value(), known));
        return json::value(std::move(out));
    }
    return value;
}

} // namespace agentd::testing
