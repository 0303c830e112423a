#include "proto/sse/parser.hpp"

#include <utility>

namespace agentd::proto::sse {

std::string_view error_text(errc)
{
    return "event too large";
}

base::result<> parser::feed(std::string_view bytes, std::vector<event>& out)
{
    while (!bytes.empty()) {
        if (std::exchange(after_cr_, false) && bytes.front() == '\n') {
            bytes.remove_prefix(1);
            continue;
        }
        const auto end = bytes.find_first_of("\r\n");
        const auto piece = bytes.substr(0, end);
        if (line_.size() + piece.size() + building_.data.size() > most_bytes_)
            return std::unexpected(
                base::error{errc::too_large, "event of the stream is too large"});
        if (end == std::string_view::npos) {
            line_ += piece;
            break;
        }
        after_cr_ = bytes[end] == '\r';
        bytes.remove_prefix(end + 1);
        if (line_.empty()) {
            end_line(piece, out);
        } else {
            line_ += piece;
            end_line(line_, out);
            line_.clear();
        }
    }
    return {};
}

void parser::end_line(std::string_view line, std::vector<event>& out)
{
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (std::exchange(first_line_, false) && line.starts_with(byte_order_mark))
        line.remove_prefix(byte_order_mark.size());
    if (line.empty()) {
        if (std::exchange(has_data_, false))
            out.push_back(std::move(building_));
        building_ = {};
        return;
    }
    const auto colon = line.find(':');
    if (colon == 0)
        return; // a comment
    std::string_view value;
    if (colon != std::string_view::npos)
        value = line.substr(colon + 1);
    if (value.starts_with(' '))
        value.remove_prefix(1);
    take_field(line.substr(0, colon), value);
}

void parser::take_field(std::string_view name, std::string_view value)
{
    if (name == "event") {
        building_.name = value;
    } else if (name == "data") {
        if (std::exchange(has_data_, true))
            building_.data += '\n';
        building_.data += value;
    }
}

} // namespace agentd::proto::sse
