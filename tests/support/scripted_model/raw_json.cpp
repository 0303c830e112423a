// See raw_json.hpp. A cursor that skips values without decoding them. Pure; any thread.
#include "raw_json.hpp"

#include <cstddef>

namespace agentd::testing {
namespace {

class cursor {
public:
    explicit cursor(std::string_view text) : text_(text) {}

    [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
    [[nodiscard]] char peek() const { return at_end() ? '\0' : text_[at_]; }
    [[nodiscard]] std::size_t position() const { return at_; }
    [[nodiscard]] std::string_view since(std::size_t begin) const
    {
        return text_.substr(begin, at_ - begin);
    }

    void skip_space()
    {
        while (!at_end() && std::string_view{" \t\r\n"}.find(text_[at_]) != std::string_view::npos)
            ++at_;
    }

    bool take(char wanted)
    {
        skip_space();
        if (peek() != wanted)
            return false;
        ++at_;
        return true;
    }

    void skip_string()
    {
        ++at_; // the opening quote
        for (;;) {
            auto next = text_.find_first_of("\"\\", at_);
            if (next == std::string_view::npos) {
                at_ = text_.size();
                return;
            }
            if (text_[next] == '"') {
                at_ = next + 1;
                return;
            }
            at_ = next + 2 <= text_.size() ? next + 2 : text_.size();
        }
    }

    void skip_value()
    {
        skip_space();
        if (peek() == '"')
            skip_string();
        else if (peek() == '{' || peek() == '[')
            skip_nested();
        else
            at_ = std::min(text_.find_first_of(",]} \t\r\n", at_), text_.size());
    }

private:
    void skip_nested()
    {
        std::size_t depth = 0;
        do {
            at_ = std::min(text_.find_first_of("\"{}[]", at_), text_.size());
            if (at_end())
                return;
            if (text_[at_] == '"') {
                skip_string();
                continue;
            }
            depth += (text_[at_] == '{' || text_[at_] == '[') ? 1 : std::size_t(-1);
            ++at_;
        } while (depth != 0);
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

// Removes one member together with the comma that belongs to it.
void cut_member(std::string& text, std::string_view scanned, std::string_view member)
{
    auto begin = static_cast<std::size_t>(member.data() - scanned.data());
    auto end = begin + member.size();
    auto before = scanned.find_last_not_of(" \t\r\n", begin - 1);
    auto after = scanned.find_first_not_of(" \t\r\n", end);
    if (before != std::string_view::npos && scanned[before] == ',')
        begin = before;
    else if (after != std::string_view::npos && scanned[after] == ',')
        end = after + 1;
    text.assign(scanned.substr(0, begin));
    text.append(scanned.substr(end));
}

std::string block_without_mark(std::string_view block)
{
    std::string kept{block};
    for (const auto& member : raw_members(block))
        if (member.name == "cache_control") {
            cut_member(kept, block, member.whole);
            break;
        }
    return kept;
}

// Puts `replacement` where `part`, a view into `whole`, stands.
void append_up_to(std::string& out, std::string_view whole, std::size_t& done,
    std::string_view part, std::string_view replacement)
{
    auto begin = static_cast<std::size_t>(part.data() - whole.data());
    out.append(whole.substr(done, begin - done));
    out.append(replacement);
    done = begin + part.size();
}

std::string content_block_without_marks(std::string_view block)
{
    if (block.find("\"cache_control\"") == std::string_view::npos)
        return std::string{block};
    auto inner = raw_value(block, "content");
    if (raw_value(block, "type") != "\"tool_result\"" || !inner.starts_with('['))
        return block_without_mark(block);
    std::string out;
    std::size_t done = 0;
    append_up_to(out, block, done, inner, without_cache_marks_in_list(inner));
    out.append(block.substr(done));
    return block_without_mark(out);
}

} // namespace

std::vector<raw_member> raw_members(std::string_view object)
{
    std::vector<raw_member> found;
    cursor at{object};
    if (!at.take('{') || at.take('}'))
        return found;
    do {
        at.skip_space();
        raw_member member;
        auto begin = at.position();
        if (at.peek() != '"')
            return found;
        at.skip_string();
        member.name = at.since(begin + 1);
        member.name.remove_suffix(member.name.empty() ? 0 : 1);
        if (!at.take(':'))
            return found;
        at.skip_space();
        auto value_begin = at.position();
        at.skip_value();
        member.value = at.since(value_begin);
        member.whole = at.since(begin);
        found.push_back(member);
    } while (at.take(','));
    return found;
}

std::vector<std::string_view> raw_elements(std::string_view array)
{
    std::vector<std::string_view> found;
    cursor at{array};
    if (!at.take('[') || at.take(']'))
        return found;
    do {
        at.skip_space();
        auto begin = at.position();
        at.skip_value();
        found.push_back(at.since(begin));
    } while (at.take(','));
    return found;
}

std::string_view raw_value(std::string_view object, std::string_view name)
{
    std::string_view found;
    for (const auto& member : raw_members(object))
        if (member.name == name)
            found = member.value;
    return found;
}

std::string without_cache_marks_in_list(std::string_view list)
{
    std::string out;
    std::size_t done = 0;
    for (auto element : raw_elements(list))
        append_up_to(out, list, done, element, content_block_without_marks(element));
    out.append(list.substr(done));
    return out;
}

std::string without_cache_marks(std::string_view message)
{
    auto content = raw_value(message, "content");
    if (!content.starts_with('[') || message.find("\"cache_control\"") == std::string_view::npos)
        return std::string{message};
    std::string out;
    std::size_t done = 0;
    append_up_to(out, message, done, content, without_cache_marks_in_list(content));
    out.append(message.substr(done));
    return out;
}

} // namespace agentd::testing
