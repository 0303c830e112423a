// What was asked and how it went: the memory that tests look into.
// Thread-safe (one mutex, no waiting while it is held). Bounded: beyond the limits the
// oldest records lose their bodies first and then go.
#pragma once

#include "http_request.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::testing {

/// One request to the API and its fate.
struct request_record {
    std::uint64_t n = 0; ///< from 1, over all requests
    std::string method;
    std::string path;
    std::string conversation; ///< "c1", "c2", ...; "" if it belongs to none
    std::string key;          ///< of the script it walks
    std::string prompt;       ///< beginning of the first user message
    std::optional<std::size_t> step;
    std::uint64_t connection = 0;
    std::string sni;
    std::chrono::microseconds received{0};            ///< since the start of the server
    std::optional<std::chrono::microseconds> replied; ///< when the last byte was handed over
    header_list headers;                              ///< credentials replaced by a hash
    std::shared_ptr<const std::string> body;          ///< null once it was dropped
    int status = 0;                                   ///< of the reply; 0 for raw bytes
    std::string outcome; ///< answered, invalid, unmet, unscripted, refused
    std::vector<std::string> violations;
    std::string reply_end; ///< "" while it is written; whole, cut, client_closed
};

/// Which records are wanted.
struct record_query {
    std::string conversation; ///< id or key, or a part of the prompt; "" = all
    std::string path;         ///< "" = all
    std::uint64_t after = 0;  ///< only later ones
    std::size_t limit = 1000;
    bool bodies = true;
};

class recorder {
public:
    /// `file`: one JSON line is appended to it for each request; "" = none.
    explicit recorder(const std::string& file);

    /// Called after each change, on the thread that made it.
    void on_change(std::function<void()> call) { changed_ = std::move(call); }

    /// Stores a request whose fate is decided; returns its number.
    std::uint64_t add(request_record record);
    /// The reply to it has ended.
    void finished(std::uint64_t n, std::string_view reply_end);

    /// The newest records that match, oldest first, as `{"requests":[...]}`.
    boost::json::object list(const record_query& query) const;
    /// How many requests to /v1/messages came (of one conversation, if named).
    std::size_t requests(const std::string& conversation) const;
    /// How many replies to /v1/messages have ended.
    std::size_t replies() const;
    /// How many requests broke a rule or an expectation.
    std::size_t violations() const;
    /// The number of conversations is the director's; the time is common to both.
    std::chrono::microseconds since_start(std::chrono::steady_clock::time_point when) const;

private:
    void trim();

    const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    mutable std::mutex mutex_;
    std::deque<request_record> records_;
    std::ofstream file_;
    std::function<void()> changed_ = [] {};
    std::uint64_t last_ = 0;
    std::size_t first_with_body_ = 0; ///< index into records_
    std::size_t body_bytes_ = 0;
    std::size_t messages_ = 0;
    std::size_t replies_ = 0;
    std::size_t violations_ = 0;
};

/// A record as JSON.
boost::json::object to_json(const request_record& record, bool with_body);

/// The headers with every credential replaced by a short hash of it.
header_list redacted(const header_list& headers);

} // namespace agentd::testing
