// What the tests of races, of restarts and of large numbers share: requests that are under way
// at the same time, and the rules that have to hold whatever came of them.
#pragma once

#include "tests/support/harness/world.hpp"
#include "tests/system/scenario.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace agentd::testing {

// A call that has been sent and not been answered: several of them race inside the daemon.
class shot {
public:
    shot(world& w, std::string_view method, std::string_view target, std::string_view body = {});
    http_reply answer() { return by_.read_reply(method_); }

private:
    std::string method_;
    http_client by_;
};

[[nodiscard]] std::string state_of(const js::object& task);
[[nodiscard]] std::string session_of(world& w, const std::string& task);
[[nodiscard]] std::size_t count_of(std::string_view text, std::string_view part);
[[nodiscard]] std::size_t count_events(
    const std::vector<js::object>& events, std::string_view type, const std::string& task = {});

// The jobs of a session, oldest first.
[[nodiscard]] std::vector<js::object> jobs_in(world& w, const std::string& session);
// Everything the model has been told and has said in a session, as JSON text.
[[nodiscard]] std::string conversation_of(world& w, const std::string& session);

// Every job of these sessions has ended, and its end was told exactly once: one entry in the
// history, one delivery. (`sessions` have no open task, and their last one told what there was.)
void check_told_once(world& w, const std::vector<std::string>& sessions);
// What is wrong with that, a line for each job: empty when nothing is.
[[nodiscard]] std::string told_wrong(world& w, const std::vector<std::string>& sessions);
// The numbers of all events are 1, 2, 3 ...
void check_gapless(world& w);
// Each task has one task.started at the most and exactly one task.finished, which is its last.
void check_ends(world& w, const std::vector<std::string>& tasks);

// A conversation whose requests may be cut off and sent again with more.
[[nodiscard]] js::value interrupted(std::string_view prompt, std::vector<js::value> steps);

} // namespace agentd::testing
