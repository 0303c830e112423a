// Strict reading of a JSON object: every field is asked for by name, the rest is an error.
// Faults are collected with their path, so that a scenario's author sees all at once.
// One reader per object, on the stack; single-threaded.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::testing {

using fault_list = std::vector<std::string>;

class object_reader {
public:
    /// `value` and `faults` must outlive the reader.
    object_reader(const boost::json::value& value, std::string path, fault_list& faults);

    /// Each takes the field if it is there with the right type; else leaves `out` alone.
    void take(std::string_view name, std::string& out);
    void take(std::string_view name, std::optional<std::string>& out);
    void take(std::string_view name, bool& out);
    void take(std::string_view name, std::optional<bool>& out);
    void take(std::string_view name, std::size_t& out);
    void take(std::string_view name, std::optional<std::size_t>& out);
    void take(std::string_view name, int& out);
    void take(std::string_view name, std::chrono::milliseconds& out);
    /// A list of strings; one string stands for a list of one.
    void take(std::string_view name, std::vector<std::string>& out);
    void take(std::string_view name, boost::json::object& out);
    void take(std::string_view name, boost::json::array& out);

    /// The field as it is, or nullptr.
    const boost::json::value* child(std::string_view name);
    [[nodiscard]] bool has(std::string_view name) const;

    [[nodiscard]] std::string path_of(std::string_view name) const;
    void fault(std::string_view name, std::string_view what);

    /// Last call: what was not asked for is a fault.
    void finish();

private:
    std::optional<std::uint64_t> number(std::string_view name);

    const boost::json::object* object_;
    std::string path_;
    fault_list& faults_;
    std::set<std::string, std::less<>> known_;
};

} // namespace agentd::testing
