// The strict reader against another one (Boost.JSON), and against our writer: what is read can be
// written and read again, what is cut is known to be cut.
#include "proto/json/reader.hpp"
#include "proto/json/writer.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <string>

namespace {

using namespace agentd;
namespace json = proto::json;
namespace peer = boost::json;

bool same(const json::value& ours, const peer::value& theirs)
{
    switch (ours.type()) {
    case json::kind::null: return theirs.is_null();
    case json::kind::boolean: return theirs.is_bool() && *ours.as_boolean() == theirs.as_bool();
    case json::kind::number: return theirs.is_number();
    case json::kind::string:
        return theirs.is_string() && *ours.as_string() == std::string_view{theirs.as_string()};
    case json::kind::array:
        return theirs.is_array() && std::ranges::equal(ours.items(), theirs.as_array(), same);
    case json::kind::object: break;
    }
    if (!theirs.is_object() || theirs.as_object().size() != ours.members().size())
        return false;
    return std::ranges::all_of(ours.members(), [&theirs](const json::member& m) {
        const auto* found = theirs.as_object().if_contains(m.name);
        return found != nullptr && same(m.value, *found);
    });
}

bool same(const json::value& a, const json::value& b)
{
    if (a.type() != b.type() || (a.is(json::kind::number) && a.raw() != b.raw()))
        return false;
    if (a.is(json::kind::string))
        return *a.as_string() == *b.as_string();
    return a.as_boolean() == b.as_boolean() &&
        std::ranges::equal(a.items(), b.items(),
            [](const json::value& x, const json::value& y) { return same(x, y); }) &&
        std::ranges::equal(
            a.members(), b.members(), [](const json::member& x, const json::member& y) {
                return x.name == y.name && same(x.value, y.value);
            });
}

std::string written(const json::value& what)
{
    std::string out;
    if (what.is(json::kind::string)) {
        json::append_string(out, *what.as_string());
    } else if (what.is(json::kind::array)) {
        json::array_writer items{out};
        for (const auto& item : what.items())
            items.raw(written(item));
        items.close();
    } else if (what.is(json::kind::object)) {
        json::object_writer members{out};
        for (const auto& entry : what.members())
            members.raw(entry.name, written(entry.value));
        members.close();
    } else {
        out = what.raw();
    }
    return out;
}

void check_raw(const json::value& what, std::string_view within)
{
    fuzz::must(what.raw().data() >= within.data() &&
            what.raw().data() + what.raw().size() <= within.data() + within.size(),
        "a value's bytes are those of the document");
    fuzz::must(what.as_number().has_value() == what.is(json::kind::number), "numbers are numbers");
    if (what.is(json::kind::array) || what.is(json::kind::object)) {
        const auto again = json::parse(what.raw(), json::lone_surrogates::replace);
        fuzz::must(again.has_value() && same(again->root(), what), "a value's bytes are the value");
    }
    for (const auto& item : what.items())
        check_raw(item, within);
    for (const auto& entry : what.members())
        check_raw(entry.value, within);
}

void check_accepted(const json::document& read, std::string_view bytes)
{
    if (bytes.size() < 512) // reading each value again is quadratic
        check_raw(read.root(), read.bytes());
    const auto again = json::parse(written(read.root()));
    fuzz::must(again.has_value(), "what was read can be written and read again");
    fuzz::must(same(read.root(), again->root()), "and is the same");
}

void check_cuts(std::string_view bytes)
{
    fuzz::must(!json::is_cut_off(bytes), "a whole document is not cut off");
    const auto end = bytes.find_last_of("]}");
    for (const auto cut : {end, end / 2, end / 3, std::size_t{1}})
        fuzz::must(json::is_cut_off(bytes.substr(0, std::min(cut, end))),
            "the beginning of a document is cut off");
}

// True for what the peer may read and we refuse.
bool is_stricter(std::string_view reason)
{
    return reason.find("occurs twice") != std::string_view::npos ||
        reason.find("nested too deeply") != std::string_view::npos ||
        reason.find("must be an object") != std::string_view::npos;
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto bytes = fuzz::as_text(data, size);
    const auto strict = json::parse(bytes);
    const auto lenient = json::parse(bytes, json::lone_surrogates::replace);
    peer::error_code failed;
    peer::parse_options options;
    options.max_depth = 256;
    const auto theirs = peer::parse({bytes.data(), bytes.size()}, failed, {}, options);
    const bool overflow = failed == peer::error::exponent_overflow;
    if (strict) {
        fuzz::must(!failed || overflow, "another reader takes what is taken");
        fuzz::must(overflow || same(strict->root(), theirs), "another reader reads the same");
        fuzz::must(lenient.has_value() && same(strict->root(), lenient->root()),
            "leniency changes nothing that is right");
        if (!overflow)
            check_cuts(bytes);
    } else {
        fuzz::must(failed || is_stricter(strict.error().text), "nothing right is refused");
    }
    if (lenient)
        check_accepted(*lenient, bytes);
    return 0;
}
