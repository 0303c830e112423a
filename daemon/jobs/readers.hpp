// Who of a tree of processes waits for its input: /proc says in which system call each thread
// sleeps and with which arguments. No debugger is needed, and nobody is stopped for it; what the
// kernel does not show (setuid programs, a ptrace_scope of 2 and more) is not guessed at, but for
// the one thing that a terminal itself shows: a program that has switched its echo off.
// Any thread; blocks for some 20 microseconds a thread looked at. Bounded: a tree that is larger
// than limits::stall_processes or limits::stall_threads counts as busy.
#pragma once

#include "jobs/stall_watch.hpp"

#include <sys/types.h>

#include <vector>

namespace agentd::jobs {

// What a job has as its stdin, as /proc shows it of the job's descriptors.
struct input_identity {
    bool terminal = false;
    dev_t device = 0;    // of the pipe's inode / of the terminal itself
    ino_t inode = 0;     // of the pipe
    bool secret = false; // the terminal waits for a line that it does not echo
};

// Waits: somebody reads it, or waits until it can be read, and everybody else sleeps, but not for
// a time to come (sleep); and who reads it does not wait for a socket, too, in whichever thread.
// What else others of the tree wait for, other programs for instance, is not looked at.
// A process that has gone meanwhile is no error.
[[nodiscard]] stall_watch::look look_for_readers(
    const std::vector<pid_t>& tree, const input_identity& input);

} // namespace agentd::jobs
