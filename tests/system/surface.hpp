// What the tests of the daemon's surfaces (API, command line, bad input, rights) share.
#pragma once

#include "tests/support/harness/world.hpp"
#include "tests/system/scenario.hpp"

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::testing {

// One call and what it has to be answered with.
struct call_row {
    std::string method;
    std::string target;
    int status = 200;
    std::string problem; // the NAME of urn:agentd:problem:NAME; empty: none
    std::string body;
    testing::headers headers;
};

// NAME of a problem's urn:agentd:problem:NAME; "" for another answer.
[[nodiscard]] std::string problem_of(const http_reply& reply);
// The member `field` of a problem; "" without one.
[[nodiscard]] std::string field_of(const http_reply& reply);

// Makes the call and checks status and problem.
http_reply expect(http_client& by, const call_row& what);
void expect_all(world& w, const std::vector<call_row>& rows);

// A conversation of any prompt that no other one fits: "Hello.", again and again.
[[nodiscard]] js::object hello_to_all();

// The ids of a task's jobs, oldest first.
[[nodiscard]] std::vector<std::string> jobs_of(world& w, const std::string& task);

// While it lives, connections of this process are those of that user and group alone.
class other_user {
public:
    other_user(uid_t uid, gid_t gid);
    ~other_user();
    other_user(const other_user&) = delete;
    other_user& operator=(const other_user&) = delete;

private:
    std::vector<gid_t> groups_;
};

// Runs SQL on the state of a daemon that is stopped: what would take weeks or luck to come by.
void edit_state(world& w, const std::string& sql);

// The whole output of a program that ends by itself, and its exit code.
struct program_end {
    int code = -1;
    std::string out;
    std::string err;
};
[[nodiscard]] program_end run_program(std::vector<std::string> argv, const scratch_folder& in,
    std::map<std::string, std::string> env = {});

// The first whole number of `text` from `at` on.
[[nodiscard]] std::int64_t number_at(const std::string& text, std::size_t at);

// Resident memory of a process, in bytes.
[[nodiscard]] std::size_t resident_bytes(pid_t pid);

} // namespace agentd::testing
