// Whose turn it is when a place for a running task becomes free: woken tasks first, then by
// priority, and among owners of equal priority in turn. Pure; used by the scheduler.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>

namespace agentd::session {

struct applicant {
    std::uint64_t id = 0;
    std::uint32_t owner = 0;
    int priority = 0;
    bool woken = false; // it has had a place before: a wake goes before every queued task
};

class turn_order {
public:
    void add(applicant who);
    // False if it was not there (any more).
    bool remove(std::uint64_t id);
    // Takes out the next one.
    [[nodiscard]] std::optional<applicant> next();
    [[nodiscard]] bool empty() const { return waiting_.empty(); }
    [[nodiscard]] std::size_t size() const { return waiting_.size(); }

private:
    [[nodiscard]] bool before(const applicant& a, const applicant& b) const;

    std::list<applicant> waiting_;                  // in order of arrival
    std::map<std::uint32_t, std::uint64_t> served_; // owner: when he was served last
    std::uint64_t round_ = 0;
};

} // namespace agentd::session
