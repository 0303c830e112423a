// What the kernel may refuse on a command's way, and what becomes of the command: the contract,
// row by row. Pure data; faults_test.cpp holds the daemon to it.
#pragma once

#include "tests/system/tracer.hpp"

#include <vector>

namespace agentd::testing {

enum class with { both, groups, no_groups };
enum class by { job, bash }; // background_run, or a foreground command

// Prints "hi" and exits with 3, like every command of the table that is not to fail.
inline constexpr const char* quick_command = "echo hi; exit 3";

struct row {
    const char* name;
    faults what;
    const char* hit; // a part of the call that has to have failed
    const char* text = quick_command;
    // What is told; no reason: it ran, printed "hi" and exited with 3.
    const char* reason = nullptr;
    const char* log = nullptr; // a part of a line of the daemon's
    with means = with::both;
    by tool = by::job;
    bool gap = false; // the output is not kept
    // One more member of the call's input; true, where that is no bound.
    const char* asks = nullptr;
    int bound = 0;
};

// "STATE" at the beginning of a path stands for the state folder, "PTS" for the next terminal.
[[nodiscard]] std::vector<row> faults_of_launching();
[[nodiscard]] std::vector<row> faults_in_the_child();
[[nodiscard]] std::vector<row> faults_of_input_and_bounds();
[[nodiscard]] std::vector<row> faults_of_ending();
[[nodiscard]] std::vector<row> faults_of_keeping_output();

} // namespace agentd::testing
