// Writing JSON: values are appended to a string, compact, in the order given, so that the
// same value always has the same bytes. Non-ASCII text is not escaped; invalid UTF-8 becomes
// U+FFFD and numbers that JSON has no form for become null: what is written is always JSON.
// Pure; any thread.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace agentd::proto::json {

// Appends `text` as a JSON string, quotes included.
void append_string(std::string& out, std::string_view text);
void append_number(std::string& out, std::int64_t number);
void append_number(std::string& out, std::uint64_t number);
void append_number(std::string& out, double number);

// `text` as a JSON string.
[[nodiscard]] std::string quoted(std::string_view text);

// What can be written as a scalar by append_value.
inline void append_value(std::string& out, std::string_view text)
{
    append_string(out, text);
}
inline void append_value(std::string& out, const char* text)
{
    append_string(out, text);
}
inline void append_value(std::string& out, const std::string& text)
{
    append_string(out, text);
}
template <std::same_as<bool> T>
void append_value(std::string& out, T truth)
{
    out += truth ? "true" : "false";
}
template <std::signed_integral T>
void append_value(std::string& out, T number)
{
    append_number(out, static_cast<std::int64_t>(number));
}
template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
void append_value(std::string& out, T number)
{
    append_number(out, static_cast<std::uint64_t>(number));
}
template <std::floating_point T>
void append_value(std::string& out, T number)
{
    append_number(out, static_cast<double>(number));
}

class array_writer;

// Writes one object onto the end of a string: `{` at construction, `}` by close() or at the
// end of its scope. While a nested writer is open only that one is used.
class object_writer {
public:
    explicit object_writer(std::string& out) : out_(&out) { out += '{'; }
    object_writer(object_writer&& other) noexcept
        : out_(std::exchange(other.out_, nullptr)), first_(other.first_)
    {}
    object_writer(const object_writer&) = delete;
    object_writer& operator=(const object_writer&) = delete;
    object_writer& operator=(object_writer&&) = delete;
    ~object_writer() { close(); }

    template <class T>
    object_writer& member(std::string_view name, const T& value)
    {
        key(name);
        append_value(*out_, value);
        return *this;
    }
    // Absent: null.
    template <class T>
    object_writer& member(std::string_view name, const std::optional<T>& value)
    {
        key(name);
        if (value)
            append_value(*out_, *value);
        else
            *out_ += "null";
        return *this;
    }
    // Absent: left out.
    template <class T>
    object_writer& member_if(std::string_view name, const std::optional<T>& value)
    {
        return value ? member(name, *value) : *this;
    }
    object_writer& null(std::string_view name);
    // `json` is a value already encoded.
    object_writer& raw(std::string_view name, std::string_view json);
    [[nodiscard]] object_writer object(std::string_view name);
    [[nodiscard]] array_writer array(std::string_view name);
    void close();

private:
    void key(std::string_view name);

    std::string* out_; // null: closed, or moved from
    bool first_ = true;
};

// Writes one array; the rules of object_writer.
class array_writer {
public:
    explicit array_writer(std::string& out) : out_(&out) { out += '['; }
    array_writer(array_writer&& other) noexcept
        : out_(std::exchange(other.out_, nullptr)), first_(other.first_)
    {}
    array_writer(const array_writer&) = delete;
    array_writer& operator=(const array_writer&) = delete;
    array_writer& operator=(array_writer&&) = delete;
    ~array_writer() { close(); }

    template <class T>
    array_writer& item(const T& value)
    {
        comma();
        append_value(*out_, value);
        return *this;
    }
    array_writer& raw(std::string_view json);
    [[nodiscard]] object_writer object();
    [[nodiscard]] array_writer array();
    void close();

private:
    void comma();

    std::string* out_; // null: closed, or moved from
    bool first_ = true;
};

} // namespace agentd::proto::json
