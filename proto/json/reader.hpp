// Strict reading of JSON that came from outside: API bodies, tool inputs, stream events.
// A document is checked to its last byte before anything of it is seen: UTF-8, escapes,
// lone surrogates, numbers, duplicate names, depth, what follows the end. Values keep the
// bytes they were written with (`raw`), so that they can be sent back unchanged.
// Pure; any thread. Nothing throws.
#pragma once

#include "base/error.hpp"
#include "base/limits.hpp"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentd::proto::json {

enum class errc {
    malformed = 1, // not JSON, or JSON that is refused: duplicates, depth, bad UTF-8
    wrong_type,    // a value, or the whole document, of another kind than asked for
    missing_field, // a required field is absent
    unknown_field, // a field that nobody asked for
    bad_value,     // the right kind, outside of what is allowed
};

[[nodiscard]] std::string_view error_text(errc value);

enum class kind { null, boolean, number, string, array, object };

class object;
struct member;

// One value inside a document; lives as long as the `object` or `document` it came from.
class value {
public:
    [[nodiscard]] kind type() const { return kind_; }
    [[nodiscard]] bool is(kind k) const { return kind_ == k; }
    // The bytes of this value as they came, without white space around it.
    [[nodiscard]] std::string_view raw() const { return raw_; }

    // The value if it is of that kind, else nothing.
    [[nodiscard]] const std::string* as_string() const; // unescaped; may hold NULs
    [[nodiscard]] std::optional<bool> as_boolean() const;
    // A number written without fraction and exponent that fits.
    [[nodiscard]] std::optional<std::int64_t> as_integer() const;
    // Any number; infinite where it is too large for a double.
    [[nodiscard]] std::optional<double> as_number() const;
    // Empty for other kinds.
    [[nodiscard]] std::span<const value> items() const;
    [[nodiscard]] std::span<const member> members() const;
    // The member of that name of an object; nullptr: absent, or no object.
    [[nodiscard]] const value* find(std::string_view name) const;
    // find() and as_string(); nullptr when there is no such string.
    [[nodiscard]] const std::string* find_string(std::string_view name) const;

private:
    friend class builder;

    kind kind_ = kind::null;
    std::string_view raw_;
    std::string text_;
    std::vector<value> items_;
    std::vector<member> members_;
};

struct member {
    std::string name;
    json::value value;
};

// An owned document: the bytes and the values in them. Copies share both.
class document {
public:
    [[nodiscard]] const value& root() const;
    // What root().raw() and all others point into.
    [[nodiscard]] std::string_view bytes() const;

private:
    friend class builder;
    friend class object;
    struct state;
    explicit document(std::shared_ptr<const state> s) : state_(std::move(s)) {}

    std::shared_ptr<const state> state_;
};

// What becomes of an escaped half of a surrogate pair: servers that cut text by UTF-16 units
// send them, and the whole comes out right once the pieces' raw bytes are joined.
enum class lone_surrogates {
    refuse,
    replace, // as_string() has U+FFFD, raw() what came
};

// Reads an object or an array, and nothing after it. `deepest`: what is nested deeper is
// refused. Errors: malformed.
[[nodiscard]] base::result<document> parse(std::string_view bytes,
    lone_surrogates halves = lone_surrogates::refuse, std::size_t deepest = limits::json_depth);

// An object with look-ups that check and name the field in what they answer:
// `field "timeout_s": must be a whole number`. Copies share the document.
class object {
public:
    // The member, whatever it is; nullptr: absent.
    [[nodiscard]] const value* find(std::string_view name) const { return self_->find(name); }
    [[nodiscard]] std::span<const member> members() const { return self_->members(); }
    [[nodiscard]] std::string_view raw() const { return self_->raw(); }
    // The same as a value; lives as long as this.
    [[nodiscard]] const value& self() const { return *self_; }

    // Refuses every field that is not one of `names`.
    [[nodiscard]] base::result<> allow_only(std::initializer_list<std::string_view> names) const;

    // Required fields. Errors: missing_field, wrong_type; integer also bad_value.
    [[nodiscard]] base::result<std::string> string(std::string_view name) const;
    [[nodiscard]] base::result<std::int64_t> integer(
        std::string_view name, std::int64_t least, std::int64_t most) const;
    [[nodiscard]] base::result<bool> boolean(std::string_view name) const;
    [[nodiscard]] base::result<json::object> child(std::string_view name) const;

    // Fields that may be absent; null counts as absent. Errors: wrong_type, bad_value.
    [[nodiscard]] base::result<std::optional<std::string>> optional_string(
        std::string_view name) const;
    [[nodiscard]] base::result<std::optional<std::int64_t>> optional_integer(
        std::string_view name, std::int64_t least, std::int64_t most) const;
    // Finite, between the two.
    [[nodiscard]] base::result<std::optional<double>> optional_number(
        std::string_view name, double least, double most) const;
    [[nodiscard]] base::result<std::optional<bool>> optional_boolean(std::string_view name) const;
    [[nodiscard]] base::result<std::optional<json::object>> optional_child(
        std::string_view name) const;
    // An array of strings / an object whose values are strings, in the order written.
    [[nodiscard]] base::result<std::optional<std::vector<std::string>>> optional_strings(
        std::string_view name) const;
    [[nodiscard]] base::result<std::optional<std::vector<std::pair<std::string, std::string>>>>
    optional_string_map(std::string_view name) const;

    // The error of a field that fails a check of the caller's: `field "NAME": REASON`.
    [[nodiscard]] base::error refuse(std::string_view name, std::string_view reason) const;

private:
    friend base::result<object> parse_object(
        std::string_view bytes, lone_surrogates halves, std::size_t deepest);
    object(document owner, const value& self, std::string path)
        : owner_(std::move(owner)), self_(&self), path_(std::move(path))
    {}
    [[nodiscard]] base::error complain(
        errc code, std::string_view name, std::string_view reason) const;
    // The member unless it is absent or null.
    [[nodiscard]] const value* present(std::string_view name) const;
    template <class T>
    [[nodiscard]] base::result<T> required(
        base::result<std::optional<T>> found, std::string_view name) const;

    document owner_;
    const value* self_;
    std::string path_; // "" or "env.": where this object stands in the document
};

// Reads an object and nothing after it. Errors: malformed, wrong_type.
[[nodiscard]] base::result<object> parse_object(std::string_view bytes,
    lone_surrogates halves = lone_surrogates::refuse, std::size_t deepest = limits::json_depth);

// True if `bytes` are JSON that ends too early: more bytes could make it whole.
[[nodiscard]] bool is_cut_off(std::string_view bytes);

} // namespace agentd::proto::json

AGENTD_ERROR_ENUM(agentd::proto::json)
