// What several calls take alike: pages, states, keys, bodies without fields. Pure; any thread.
#pragma once

#include "api/exchange.hpp"
#include "session/service.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::api {

// True for what may be an id or the first characters of one. Which kind it is, is not looked at.
[[nodiscard]] bool is_id(std::string_view text);

// The id in a parameter; empty when absent.
[[nodiscard]] std::string id_in(parameters& in, std::string_view name);

// What `after` of a list is: the id of the last item seen, whole.
enum class cursor_of { tasks, sessions, jobs };
// `after` of a list; empty when absent.
[[nodiscard]] std::string cursor_in(parameters& in, cursor_of list);

// `limit` of a list.
[[nodiscard]] std::size_t list_limit(parameters& in);

// `state=a,b`, or several.
template <class State>
[[nodiscard]] std::vector<State> states_in(
    parameters& in, std::optional<State> (*from)(std::string_view))
{
    std::vector<State> states;
    for (const auto& name : in.list("state")) {
        if (const auto state = from(name))
            states.push_back(*state);
        else
            in.complain("state", "is no state");
    }
    // In one order and once each: the store keeps a statement for every list it has seen.
    std::ranges::sort(states);
    const auto repeats = std::ranges::unique(states);
    states.erase(repeats.begin(), repeats.end());
    return states;
}

// Of the field Idempotency-Key, with the request it goes with; nullopt: none. Errors:
// proto::api::errc::invalid_field.
[[nodiscard]] base::result<std::optional<session::idempotency_key>> idempotency_key(
    const exchange& x);

// A call that takes no fields may have an empty body or `{}`. Errors: those of proto::api.
[[nodiscard]] base::result<> no_fields(std::string_view body);

} // namespace agentd::api
