#include "proto/json/writer.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <iterator>

namespace agentd::proto::json {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD"; // U+FFFD

// Length of the UTF-8 sequence that begins `text`, 0 if none that is valid does.
std::size_t sequence_length(std::string_view text)
{
    for (std::size_t length = 1; length <= 4 && length <= text.size(); ++length) {
        if (base::is_utf8(text.substr(0, length)))
            return length;
    }
    return 0;
}

std::string with_replacements(std::string_view text)
{
    std::string out;
    out.reserve(text.size() + replacement.size());
    while (!text.empty()) {
        const std::size_t length = sequence_length(text);
        out += length == 0 ? replacement : text.substr(0, length);
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return out;
}

bool needs_escape(char c)
{
    return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
}

void append_escape(std::string& out, char c)
{
    switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    }
}

void append_utf8(std::string& out, std::string_view text)
{
    out.reserve(out.size() + text.size() + 2);
    out += '"';
    std::size_t from = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (!needs_escape(text[i]))
            continue;
        out.append(text, from, i - from);
        append_escape(out, text[i]);
        from = i + 1;
    }
    out.append(text, from);
    out += '"';
}

} // namespace

void append_string(std::string& out, std::string_view text)
{
    if (base::is_utf8(text))
        append_utf8(out, text);
    else
        append_utf8(out, with_replacements(text));
}

void append_number(std::string& out, std::int64_t number)
{
    fmt::format_to(std::back_inserter(out), "{}", number);
}

void append_number(std::string& out, std::uint64_t number)
{
    fmt::format_to(std::back_inserter(out), "{}", number);
}

void append_number(std::string& out, double number)
{
    if (std::isfinite(number))
        fmt::format_to(std::back_inserter(out), "{}", number); // shortest that reads back the same
    else
        out += "null";
}

std::string quoted(std::string_view text)
{
    std::string out;
    append_string(out, text);
    return out;
}

void object_writer::key(std::string_view name)
{
    if (!first_)
        *out_ += ',';
    first_ = false;
    append_string(*out_, name);
    *out_ += ':';
}

object_writer& object_writer::null(std::string_view name)
{
    return raw(name, "null");
}

object_writer& object_writer::raw(std::string_view name, std::string_view json)
{
    key(name);
    *out_ += json;
    return *this;
}

object_writer object_writer::object(std::string_view name)
{
    key(name);
    return object_writer{*out_};
}

array_writer object_writer::array(std::string_view name)
{
    key(name);
    return array_writer{*out_};
}

void object_writer::close()
{
    if (out_ != nullptr)
        *std::exchange(out_, nullptr) += '}';
}

void array_writer::comma()
{
    if (!first_)
        *out_ += ',';
    first_ = false;
}

array_writer& array_writer::raw(std::string_view json)
{
    comma();
    *out_ += json;
    return *this;
}

object_writer array_writer::object()
{
    comma();
    return object_writer{*out_};
}

array_writer array_writer::array()
{
    comma();
    return array_writer{*out_};
}

void array_writer::close()
{
    if (out_ != nullptr)
        *std::exchange(out_, nullptr) += ']';
}

} // namespace agentd::proto::json
