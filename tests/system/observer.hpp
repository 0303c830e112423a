// Who is left: an observer from outside. A case runs in a PID namespace of its own, where every
// process there is can be listed (number and start time) before and after. It shares nothing with
// how the daemon finds and kills: no marks, no groups, no parents, no names.
#pragma once

#include "tests/support/harness/world.hpp"

#include <functional>
#include <set>
#include <string>
#include <string_view>

namespace agentd::testing {

// Runs `body` in a PID namespace of its own (by running this very case once more), after the
// observer has found a planted orphan there; says SKIP where that is not allowed.
void inside(const std::function<void()>& body);

struct seen {
    int pid;
    std::string start; // since boot; tells two processes with the same number apart
    std::string what;  // its line of /proc
    bool operator<(const seen& other) const;
};
using census = std::set<seen>;

[[nodiscard]] census everybody();
// Who is new and who is gone; "" when nobody is.
[[nodiscard]] std::string difference(const census& before, const census& after);
// The namespace's first process reaps what was reparented to it when it gets round to that: it is
// dead now, and this waits for its number. `beside`: a process that may be there, a daemon with
// its watcher.
[[nodiscard]] std::string difference_when_reaped(const census& expected, int beside = 0);

// The process that a daemon has beside it; 0: there is none.
[[nodiscard]] int watcher_of(int daemon);
// Without that daemon and its watcher.
[[nodiscard]] census without(census all, int daemon);

// --- with control groups and without

// What jobs.cgroup has to be for one of the means, "off" or "auto" (with control groups). Where
// root has a cgroup2 mount to write to and systemd runs, which gives nothing away by itself, it is
// a group of the test's own in place of auto; that goes with this.
class cgroup_setting {
public:
    explicit cgroup_setting(std::string_view means);
    ~cgroup_setting();
    cgroup_setting(const cgroup_setting&) = delete;
    cgroup_setting& operator=(const cgroup_setting&) = delete;

    [[nodiscard]] const std::string& value() const { return value_; }

private:
    std::string value_;
};

// Fails if there are no control groups (`reason`) and root could have them, else says SKIP.
void skip_without_groups(std::string_view reason);

// Checks that the daemon uses the means that jobs.cgroup = `asked` wants. False: there are no
// control groups here, and that half is skipped; root with a cgroup2 mount to write to may not.
bool check_means(world& w, std::string_view asked);
// Runs `test` in a daemon with each of the means; its control groups are gone at the end.
// `config` is TOML of [jobs].
void with_each_means(const std::string& scenario, const std::string& config,
    const std::function<void(world&, const census&)>& test);

} // namespace agentd::testing
