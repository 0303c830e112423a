// What callers are answered: pages of lists, and the conditions of a failing store as their
// own (lower conditions are translated, not forwarded). Pure; any thread.
#pragma once

#include "base/error.hpp"
#include "session/service.hpp"

#include <utility>

namespace agentd::session {

// The store's errors become storage_full, storage_failed or draining; others stay.
[[nodiscard]] base::error as_answer(base::error why);

template <class T>
[[nodiscard]] base::result<T> answer(base::result<T> found)
{
    if (found)
        return found;
    return std::unexpected(as_answer(std::move(found.error())));
}

// A page of `rows`, which were asked for with one more than `limit`.
template <class T>
[[nodiscard]] page<T> page_of(std::vector<T> rows, std::size_t limit, base::event_seq newest)
{
    page<T> found;
    found.items = std::move(rows);
    found.seq = newest;
    if (found.items.size() > limit) {
        found.items.resize(limit);
        found.next = found.items.back().id.str();
    }
    return found;
}

} // namespace agentd::session
