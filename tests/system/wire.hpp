// A model of raw bytes over TLS and the built agentd that asks it: the conformance cases that
// are about whole tasks. What a request has to hold is written down as bytes here and in the
// tests, not made by what is tested.
#pragma once

#include "tests/support/byte_server.hpp"
#include "tests/support/harness/world.hpp"
#include "tests/support/model_bytes.hpp"

#include <boost/json/object.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::testing {

// What is done with one request, after it was read.
using answer = std::function<void(peer&)>;
// A whole chunked reply with these stream bytes.
[[nodiscard]] answer says(std::string stream);

class wired {
public:
    // Request n of all connections together gets answers[n]; one more than there are gets
    // nothing but the end of its connection. `config` is TOML of top-level keys and tables.
    explicit wired(std::vector<answer> answers, std::string config = {});

    [[nodiscard]] world& agent() { return agent_; }
    // A task from its submission to its end.
    boost::json::object run(std::string_view prompt, boost::json::object more = {});
    // Another one in the same session.
    boost::json::object run_after(const boost::json::object& task, std::string_view prompt);
    // Requests so far: their bodies, cache marks taken out / as they came.
    [[nodiscard]] std::vector<std::string> bodies() const;
    [[nodiscard]] std::vector<std::string> requests() const { return server_.requests(); }
    // The messages of request n: the bytes between the brackets, cache marks taken out.
    [[nodiscard]] std::string messages(std::size_t number) const;
    [[nodiscard]] bool has_file(const std::string& name) const;

private:
    scratch_folder files_;
    certificate made_;
    byte_server server_;
    world agent_;
};

// --- bytes of a request

[[nodiscard]] std::string unmarked(std::string body);
// Messages with these blocks, and blocks; texts are JSON as it is spelt, without quotes.
[[nodiscard]] std::string user(const std::vector<std::string>& blocks);
[[nodiscard]] std::string assistant(const std::vector<std::string>& blocks);
[[nodiscard]] std::string text(std::string_view spelt);
[[nodiscard]] std::string call(std::string_view id, std::string_view tool, std::string_view input);
// `more`: further blocks inside it.
[[nodiscard]] std::string result(
    std::string_view id, std::string_view spelt, const std::vector<std::string>& more = {});
[[nodiscard]] std::string failed(std::string_view id, std::string_view spelt);
// With commas between.
[[nodiscard]] std::string in_order(const std::vector<std::string>& messages);

// --- streams

// A text block / a call with its whole input, as the events of block `index`.
[[nodiscard]] std::vector<std::string> text_events(int index, std::string_view text);
[[nodiscard]] std::vector<std::string> call_events(
    int index, std::string_view id, std::string_view tool, std::string_view input);
// A stream of the events of these blocks.
[[nodiscard]] std::string stream_of_blocks(
    const std::vector<std::vector<std::string>>& blocks, std::string_view stop_reason = "tool_use");
// A stream with one text, and the reply that ends most tests.
[[nodiscard]] answer ends_with(std::string_view text);

} // namespace agentd::testing
