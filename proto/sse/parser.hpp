// Server-sent events out of bytes, wherever these are cut (WHATWG's rules; wire reference §3.1).
// Comments, `id:` and `retry:` leave nothing; an event without data is none, and one that
// lacks its blank line at the end of the stream never comes out.
// Pure; one owner, any thread. Bounded: see limits::sse_event_bytes.
#pragma once

#include "base/error.hpp"
#include "base/limits.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::proto::sse {

enum class errc {
    too_large = 1, // a line or an event beyond the bound
};

[[nodiscard]] std::string_view error_text(errc value);

struct event {
    std::string name; // of the `event:` line; empty: there was none
    std::string data; // the `data:` lines, joined by LF
};

class parser {
public:
    explicit parser(std::size_t most_bytes = limits::sse_event_bytes) : most_bytes_(most_bytes) {}

    // Takes the next bytes and appends the events that they complete to `out`. After an error
    // the parser is of no more use.
    [[nodiscard]] base::result<> feed(std::string_view bytes, std::vector<event>& out);

private:
    void end_line(std::string_view line, std::vector<event>& out);
    void take_field(std::string_view name, std::string_view value);

    std::size_t most_bytes_;
    std::string line_; // the beginning of a line whose end has not come
    event building_;
    bool has_data_ = false;
    bool first_line_ = true; // a byte order mark may stand before it
    bool after_cr_ = false;  // a line end came as CR; LF would be the rest of it
};

} // namespace agentd::proto::sse

AGENTD_ERROR_ENUM(agentd::proto::sse)
