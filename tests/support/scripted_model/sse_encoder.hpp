// Content blocks into the bytes of a reply: a stream of server-sent events as the service
// writes it, or one JSON message. Ids and signatures are made here and are unique in one
// run of the server. Pure apart from the id source, which is thread-safe.
#pragma once

#include "scenario.hpp"
#include "substitute.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::testing {

/// Makes ids such as `toolu_01k3...`: unique in this run, not guessable from one another.
class id_source {
public:
    explicit id_source(std::uint64_t seed) : seed_{seed} {}
    std::string next(std::string_view prefix);

private:
    std::uint64_t seed_;
    std::atomic<std::uint64_t> count_{0};
};

/// One block of a reply: its JSON as the client should keep it, and its tool input as written.
struct made_block {
    boost::json::object block; ///< whole, with id, signature and (if it is JSON) input
    std::string input;         ///< bytes of the input of a tool call, else ""
};

/// A reply of blocks, ready to be encoded.
struct made_message {
    std::string id;
    std::string model;
    std::vector<made_block> blocks;
    std::string stop_reason;
    boost::json::object usage; ///< final counts
    std::size_t deltas = 1;
};

/// Fills in ids, signatures, stop reason and usage. `input_bytes`: size of the request's body.
made_message make_message(const reply& from, const variables& known, std::string_view model,
    std::size_t input_bytes, id_source& ids);

/// The events of the message as a stream, each with its blank line.
std::vector<std::string> stream_events(const made_message& message);

/// The message as one JSON text.
std::string whole_message(const made_message& message);

/// One event: `event: NAME`, `data: DATA` (split at line feeds), blank line.
std::string sse_event(std::string_view name, std::string_view data);

} // namespace agentd::testing
