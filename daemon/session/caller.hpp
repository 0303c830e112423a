// Who calls the local API, as far as rights go. Pure data; any thread.
#pragma once

#include <cstdint>
#include <optional>

namespace agentd::session {

struct caller {
    std::uint32_t uid = 0;
    bool sees_all = false; // root and the daemon's own uid

    // The filter for lists: whose things the caller may see.
    [[nodiscard]] std::optional<std::uint32_t> only() const
    {
        return sees_all ? std::nullopt : std::optional{uid};
    }
};

} // namespace agentd::session
