// One request as a handler sees it: the bytes of HTTP taken apart and decoded, its query
// parameters looked up with checks. Pure; any thread.
#pragma once

#include "api/errc.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentd::api {

struct request {
    std::string method;
    std::vector<std::string> path; // decoded segments: "/v1/tasks" is {"v1", "tasks"}
    std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
    std::vector<std::pair<std::string, std::string>> fields; // of the head, names in lower case
    std::string body;
    std::string raw_path; // as it was written, without the query
    bool chunks = true;   // an answer of unknown length may be chunked (HTTP/1.1)
    bool keep_alive = true;
    bool in_pieces = false; // `body` is empty: it is still to be read (http_reader::next_piece)

    // The first field of that name (in lower case); nullptr: absent.
    [[nodiscard]] const std::string* field(std::string_view name) const;
};

// "%41" to "A"; nullopt for bad escapes, NULs and what is not UTF-8 then.
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space);

// Takes "/v1/tasks?state=running" apart into path, raw_path and query. Errors: bad_target.
[[nodiscard]] base::result<> take_target(request& into, std::string_view target);

// Looks parameters up and remembers the first that is wrong. What nobody asked for is wrong,
// too, so every look-up stands before wrong().
class parameters {
public:
    explicit parameters(const request& from) : from_(&from.query) {}

    // Empty when absent.
    [[nodiscard]] std::string text(std::string_view name);
    [[nodiscard]] bool has(std::string_view name);
    // Given several times, and each with commas: all of them.
    [[nodiscard]] std::vector<std::string> list(std::string_view name);
    // Given several times.
    [[nodiscard]] std::vector<std::string> all(std::string_view name);
    [[nodiscard]] std::uint64_t number(
        std::string_view name, std::uint64_t absent, std::uint64_t least, std::uint64_t most);
    [[nodiscard]] bool flag(std::string_view name);

    void complain(std::string_view name, std::string_view reason);
    // Errors: invalid_parameter.
    [[nodiscard]] std::optional<base::error> wrong();

private:
    const std::vector<std::pair<std::string, std::string>>* from_;
    std::set<std::string, std::less<>> asked_;
    std::optional<base::error> wrong_;
};

} // namespace agentd::api
