// From bytes to values: a walk over simdjson's On-Demand iterator that visits everything,
// because what is not visited is not checked there (numbers, nesting, what follows the end).
#include "base/limits.hpp"
#include "base/text.hpp"
#include "proto/json/document_state.hpp"
#include "proto/json/reader.hpp"
#include "proto/json/unescape.hpp"

#include <boost/json/stream_parser.hpp>

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <set>

namespace agentd::proto::json {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::string_view white_space = " \t\r\n";

std::string_view without_space_after(std::string_view text)
{
    const auto last = text.find_last_not_of(white_space);
    return last == std::string_view::npos ? std::string_view{} : text.substr(0, last + 1);
}

std::size_t digits(std::string_view text)
{
    const auto end = text.find_first_not_of("0123456789");
    return end == std::string_view::npos ? text.size() : end;
}

// RFC 8259's number, of any size: simdjson's own would refuse what does not fit its types.
bool is_number(std::string_view text)
{
    if (text.starts_with('-'))
        text.remove_prefix(1);
    const std::size_t whole = digits(text);
    if (whole == 0 || (whole > 1 && text.front() == '0'))
        return false;
    text.remove_prefix(whole);
    if (text.starts_with('.')) {
        const std::size_t fraction = digits(text.substr(1));
        if (fraction == 0)
            return false;
        text.remove_prefix(1 + fraction);
    }
    if (text.starts_with('e') || text.starts_with('E')) {
        text.remove_prefix(1);
        if (text.starts_with('+') || text.starts_with('-'))
            text.remove_prefix(1);
        return !text.empty() && digits(text) == text.size();
    }
    return text.empty();
}

// Parsers keep their buffers; documents beyond this get one of their own, so that a large
// one does not leave its memory behind in every thread.
constexpr std::size_t kept_buffer_bytes = 1U << 20;

} // namespace

class builder {
public:
    static base::result<document> build(
        std::string_view bytes, lone_surrogates halves, std::size_t deepest)
    {
        auto state = std::make_shared<document::state>();
        state->bytes.reserve(bytes.size() + simdjson::SIMDJSON_PADDING);
        state->bytes.assign(bytes);
        thread_local ondemand::parser kept;
        ondemand::parser fresh;
        builder work{*state, halves, deepest};
        auto& parser = bytes.size() <= kept_buffer_bytes ? kept : fresh;
        if (!work.read_root(parser))
            return std::unexpected(base::error{errc::malformed, "not valid JSON: " + work.reason_});
        return document{std::move(state)};
    }

private:
    builder(document::state& s, lone_surrogates halves, std::size_t deepest)
        : state_(s), halves_(halves), deepest_(deepest)
    {}

    bool fail(std::string_view reason)
    {
        reason_ = reason;
        return false;
    }
    bool fail(simdjson::error_code code) { return fail(simdjson::error_message(code)); }

    bool read_root(ondemand::parser& parser)
    {
        const auto first = state_.bytes.find_first_not_of(white_space);
        if (first == std::string::npos)
            return fail("nothing there");
        if (state_.bytes[first] != '{' && state_.bytes[first] != '[')
            return fail("must be an object");
        auto opened =
            parser.iterate(state_.bytes.data(), state_.bytes.size(), state_.bytes.capacity());
        if (const auto bad = std::move(opened).get(json_))
            return fail(bad);
        ondemand::value root;
        if (const auto bad = json_.get_value().get(root))
            return fail(bad);
        if (!read(root, state_.root, 0))
            return false;
        // simdjson 3.0 has no at_end(): there is a next token, or there is none.
        const bool at_end = json_.current_location().error() == simdjson::OUT_OF_BOUNDS;
        return at_end || fail("something follows the end");
    }

    bool read(ondemand::value in, value& out, std::size_t depth)
    {
        if (depth > deepest_)
            return fail("nested too deeply");
        ondemand::json_type type{};
        if (const auto bad = in.type().get(type))
            return fail(bad);
        const std::string_view token = in.raw_json_token();
        out.raw_ = without_space_after(token);
        switch (type) {
        case ondemand::json_type::object: return read_object(in, out, depth) && set_raw(token, out);
        case ondemand::json_type::array: return read_array(in, out, depth) && set_raw(token, out);
        case ondemand::json_type::string: return read_string(in, out);
        case ondemand::json_type::number:
            return read_scalar(out, kind::number, is_number(out.raw_));
        case ondemand::json_type::boolean:
            return read_scalar(out, kind::boolean, out.raw_ == "true" || out.raw_ == "false");
        case ondemand::json_type::null: return read_scalar(out, kind::null, out.raw_ == "null");
        }
        return fail("a value is missing");
    }

    // A container has just been read: it ends before the next token.
    bool set_raw(std::string_view token, value& out)
    {
        const char* next = nullptr;
        if (json_.current_location().get(next) != simdjson::SUCCESS)
            next = state_.bytes.data() + state_.bytes.size();
        std::string_view text{token.data(), static_cast<std::size_t>(next - token.data())};
        out.raw_ = without_space_after(text);
        return true;
    }

    // The text is all there is to a scalar; the iterator above steps over it by itself.
    bool read_scalar(value& out, kind is, bool well_formed)
    {
        out.kind_ = is;
        return well_formed ||
            fail(fmt::format("\"{}\" is no value", base::first_chars(out.raw_, 20)));
    }

    bool read_string(ondemand::value& in, value& out)
    {
        std::string_view text;
        out.kind_ = kind::string;
        const auto bad = in.get_string().get(text);
        if (bad && halves_ == lone_surrogates::replace)
            return unescape_replacing(out.raw_, out.text_) || fail(bad);
        if (bad)
            return fail(bad);
        out.text_ = text;
        return true;
    }

    bool read_array(ondemand::value& in, value& out, std::size_t depth)
    {
        ondemand::array items;
        if (const auto bad = in.get_array().get(items))
            return fail(bad);
        out.kind_ = kind::array;
        for (auto item : items) {
            ondemand::value next;
            if (const auto bad = std::move(item).get(next))
                return fail(bad);
            if (!read(next, out.items_.emplace_back(), depth + 1))
                return false;
        }
        return true;
    }

    bool read_object(ondemand::value& in, value& out, std::size_t depth)
    {
        ondemand::object fields;
        if (const auto bad = in.get_object().get(fields))
            return fail(bad);
        out.kind_ = kind::object;
        for (auto item : fields) {
            ondemand::field field;
            std::string_view name;
            if (const auto bad = std::move(item).get(field))
                return fail(bad);
            if (const auto bad = field.unescaped_key().get(name))
                return fail(bad);
            auto& added = out.members_.emplace_back();
            added.name = name;
            if (!read(field.value(), added.value, depth + 1))
                return false;
        }
        return has_no_duplicates(out);
    }

    bool has_no_duplicates(const value& out)
    {
        std::set<std::string_view> seen;
        for (const auto& entry : out.members_) {
            if (!seen.insert(entry.name).second)
                return fail(
                    fmt::format("the name \"{}\" occurs twice", base::first_chars(entry.name, 80)));
        }
        return true;
    }

    document::state& state_;
    lone_surrogates halves_;
    std::size_t deepest_;
    ondemand::document json_;
    std::string reason_;
};

base::result<document> parse(std::string_view bytes, lone_surrogates halves, std::size_t deepest)
{
    return builder::build(bytes, halves, deepest);
}

bool is_cut_off(std::string_view bytes)
{
    boost::json::parse_options options;
    options.max_depth = limits::json_depth;
    boost::json::stream_parser parser{{}, options};
    boost::system::error_code failed;
    parser.write_some(bytes.data(), bytes.size(), failed);
    return !failed && !parser.done();
}

} // namespace agentd::proto::json
