// Writes down what the conformance cases put on real sockets, for scripts/cases: one JSON
// object a line, appended to the file that AGENTD_CASES names (unset: nothing is written).
// A test is a case's if its name begins with "case N" or "cases N"; doctest_main.cpp tells which
// test runs and how it ended, byte_server what went over each connection. One write per line,
// so several tests may share a file. The current test belongs to the test's main thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace agentd::testing {

// The beginning and the end of what went over a connection in one direction.
class bounded_bytes {
public:
    void add(std::string_view bytes);
    [[nodiscard]] std::size_t total() const { return total_; }
    [[nodiscard]] const std::string& head() const { return head_; }
    // What followed the head, its last bytes only.
    [[nodiscard]] std::string_view tail() const;

private:
    std::string head_, tail_;
    std::size_t total_ = 0;
};

struct connection_record {
    std::string run; // of the test it belongs to; "": it is not recorded
    std::size_t number = 0;
    bool tls = false;
    std::string sni;
    bounded_bytes received, sent; // by the server; inside of TLS
    std::string end;              // who ended it and how
};

// The running test's mark, or "" when it is no case's or nothing is recorded.
[[nodiscard]] std::string current_case();
// From the listener in doctest_main.cpp.
void case_begins(std::string_view name, std::string_view file, unsigned line);
void case_ends(bool passed);
// The credentials that were received are masked, wherever they show up.
void record(const connection_record& what);

} // namespace agentd::testing
