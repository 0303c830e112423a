// See object_reader.hpp.
#include "object_reader.hpp"

#include <limits>
#include <utility>

namespace agentd::testing {

namespace json = boost::json;

object_reader::object_reader(const json::value& value, std::string path, fault_list& faults)
    : object_{value.if_object()}, path_{std::move(path)}, faults_{faults}
{
    if (object_ == nullptr)
        faults_.push_back(path_ + ": must be an object");
}

std::string object_reader::path_of(std::string_view name) const
{
    return path_.empty() ? std::string{name} : path_ + "." + std::string{name};
}

void object_reader::fault(std::string_view name, std::string_view what)
{
    faults_.push_back(path_of(name) + ": " + std::string{what});
}

const json::value* object_reader::child(std::string_view name)
{
    known_.emplace(name);
    return object_ == nullptr ? nullptr : object_->if_contains(name);
}

bool object_reader::has(std::string_view name) const
{
    return object_ != nullptr && object_->contains(name);
}

void object_reader::take(std::string_view name, std::string& out)
{
    const auto* value = child(name);
    if (value == nullptr)
        return;
    if (const auto* text = value->if_string())
        out.assign(text->data(), text->size());
    else
        fault(name, "must be a string");
}

void object_reader::take(std::string_view name, std::optional<std::string>& out)
{
    if (!has(name))
        return;
    std::string text;
    take(name, text);
    out = std::move(text);
}

void object_reader::take(std::string_view name, bool& out)
{
    const auto* value = child(name);
    if (value == nullptr)
        return;
    if (const auto* flag = value->if_bool())
        out = *flag;
    else
        fault(name, "must be true or false");
}

void object_reader::take(std::string_view name, std::optional<bool>& out)
{
    if (!has(name))
        return;
    bool flag = false;
    take(name, flag);
    out = flag;
}

std::optional<std::uint64_t> object_reader::number(std::string_view name)
{
    const auto* value = child(name);
    if (value == nullptr)
        return std::nullopt;
    if (value->is_int64() && value->get_int64() >= 0)
        return static_cast<std::uint64_t>(value->get_int64());
    fault(name, "must be a whole number, not negative");
    return std::nullopt;
}

void object_reader::take(std::string_view name, std::size_t& out)
{
    if (auto value = number(name))
        out = static_cast<std::size_t>(*value);
}

void object_reader::take(std::string_view name, std::optional<std::size_t>& out)
{
    if (auto value = number(name))
        out = static_cast<std::size_t>(*value);
}

void object_reader::take(std::string_view name, int& out)
{
    auto value = number(name);
    if (!value)
        return;
    if (*value > static_cast<std::uint64_t>(std::numeric_limits<int>::max()))
        fault(name, "is too large");
    else
        out = static_cast<int>(*value);
}

void object_reader::take(std::string_view name, std::chrono::milliseconds& out)
{
    if (auto value = number(name))
        out = std::chrono::milliseconds{static_cast<std::int64_t>(*value)};
}

void object_reader::take(std::string_view name, std::vector<std::string>& out)
{
    const auto* value = child(name);
    if (value == nullptr)
        return;
    if (const auto* text = value->if_string()) {
        out.emplace_back(text->data(), text->size());
        return;
    }
    const auto* list = value->if_array();
    if (list == nullptr)
        return fault(name, "must be a string or a list of strings");
    for (const auto& item : *list) {
        if (const auto* text = item.if_string())
            out.emplace_back(text->data(), text->size());
        else
            fault(name, "must hold strings only");
    }
}

void object_reader::take(std::string_view name, json::object& out)
{
    const auto* value = child(name);
    if (value == nullptr)
        return;
    if (const auto* object = value->if_object())
        out = *object;
    else
        fault(name, "must be an object");
}

void object_reader::take(std::string_view name, json::array& out)
{
    const auto* value = child(name);
    if (value == nullptr)
        return;
    if (const auto* list = value->if_array())
        out = *list;
    else
        fault(name, "must be a list");
}

void object_reader::finish()
{
    if (object_ == nullptr)
        return;
    for (const auto& member : *object_)
        if (!known_.contains(std::string_view{member.key()}))
            fault(member.key(), "unknown key");
}

} // namespace agentd::testing
