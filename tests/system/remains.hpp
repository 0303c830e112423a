// What commands may leave behind, as seen from outside of the daemon: processes, descriptors,
// control groups. Texts are empty when there is nothing.
#pragma once

#include "tests/support/harness/process.hpp"

#include <sys/types.h>

#include <chrono>
#include <map>
#include <string>

namespace agentd::testing {

// What the daemon has open, sockets aside: how many of each kind.
[[nodiscard]] std::map<std::string, int> descriptors(pid_t daemon);
[[nodiscard]] std::string difference(
    const std::map<std::string, int>& before, const std::map<std::string, int>& after);
// Its children, zombies included: a blank behind each.
[[nodiscard]] std::string children(pid_t daemon);
[[nodiscard]] std::string more_than(const std::string& before, const std::string& after);
// Whoever carries this text in its environment, parents or not.
[[nodiscard]] std::string marked(const std::string& text);
[[nodiscard]] std::string populated_groups(const std::string& subtree);

// Becomes empty, or is what keeps it from that.
template <class Question>
std::string soon_empty(Question question)
{
    const auto until = std::chrono::steady_clock::now() + patience() / 10;
    for (;;) {
        auto answer = question();
        if (answer.empty() || std::chrono::steady_clock::now() >= until)
            return answer;
    }
}

} // namespace agentd::testing
