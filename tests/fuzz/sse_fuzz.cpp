// Server-sent events: the parser hears what the simplest reading of WHATWG's rules hears,
// wherever the bytes are cut, and its bound does not depend on the cuts either.
#include "proto/sse/parser.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <span>

namespace {

using namespace agentd;
using proto::sse::event;

struct heard {
    std::vector<event> events;
    bool refused = false;
};

bool same(const heard& a, const heard& b)
{
    return a.refused == b.refused &&
        std::ranges::equal(a.events, b.events,
            [](const event& x, const event& y) { return x.name == y.name && x.data == y.data; });
}

heard hear(std::span<const std::string_view> pieces, std::size_t most_bytes)
{
    heard all;
    proto::sse::parser parser{most_bytes};
    for (const auto piece : pieces) {
        if (!parser.feed(piece, all.events)) {
            all.refused = true;
            break;
        }
    }
    return all;
}

// The lines of all the text, those that have an end.
std::vector<std::string> lines_of(std::string_view text)
{
    std::vector<std::string> lines;
    if (text.starts_with("\xEF\xBB\xBF"))
        text.remove_prefix(3);
    std::string line;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\r' && text[i] != '\n') {
            line += text[i];
            continue;
        }
        lines.push_back(std::move(line));
        line.clear();
        if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n')
            ++i;
    }
    return lines;
}

heard simplest(std::string_view text)
{
    heard all;
    std::string name;
    std::string data; // each `data:` line with an LF behind it
    for (const auto& line : lines_of(text)) {
        if (line.empty()) {
            if (!data.empty())
                all.events.push_back({name, data.substr(0, data.size() - 1)});
            name.clear();
            data.clear();
            continue;
        }
        const auto colon = std::min(line.find(':'), line.size());
        auto value = line.substr(std::min(colon + 1, line.size()));
        if (value.starts_with(' '))
            value.erase(0, 1);
        if (line.substr(0, colon) == "event")
            name = value;
        else if (line.substr(0, colon) == "data")
            data += value + "\n";
    }
    return all;
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using fuzz::must;
    const auto bytes = fuzz::as_text(data, size);
    const std::string_view whole[] = {bytes};
    const auto expected = simplest(bytes);
    const auto most = limits::sse_event_bytes;
    must(same(hear(whole, most), expected), "whole bytes give the events of the standard");
    must(same(hear(fuzz::in_pieces(bytes, 1), most), expected), "single bytes give the same");
    must(same(hear(fuzz::in_pieces(bytes, 32), most), expected), "pieces give the same");
    for (const std::size_t bound : {8U, 64U}) {
        const auto bounded = hear(whole, bound);
        must(same(hear(fuzz::in_pieces(bytes, 1), bound), bounded), "the bound holds bytewise");
        must(same(hear(fuzz::in_pieces(bytes, 32), bound), bounded), "the bound holds in pieces");
        for (const auto& one : bounded.events)
            must(one.data.size() <= bound, "no event is larger than the bound");
    }
    return 0;
}
