// Whether and when a request that failed is sent again (DESIGN §5, wire reference §4): takes
// what went wrong and the clock, answers with a delay or with why it is over.
// Pure; one owner, any thread.
#pragma once

#include "base/clock.hpp"
#include "model/reply.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace agentd::model {

// How one attempt failed.
struct attempt_failure {
    enum class kind {
        connection, // no connection, none any more, or too slow: another may work
        refused,    // TLS says it is the wrong peer; the options cannot be used
        http,       // a reply with a status that is none of success
        stream,     // an error event inside a successful reply
        malformed,  // a successful reply that cannot be understood
        useless,    // a successful reply that is none of the API's (HTML, nothing)
    };
    kind what = kind::connection;
    failure told;                     // what people are told; `attempts` is filled in by the asker
    std::string code;                 // error.details.error_code
    bool bad_thinking = false;        // the history's: it may work without
    std::optional<bool> should_retry; // x-should-retry
    std::optional<std::chrono::milliseconds> retry_after; // what the server asks for
};

// True for what another model may be tried for: the server has no capacity for this one.
[[nodiscard]] bool is_overload(const attempt_failure& what);
// The credential was refused: no request works until there is another.
[[nodiscard]] bool is_bad_credential(const attempt_failure& what);

// How long others who want the same model should wait for it; nothing: they need not. `delay`
// is what the failed one itself waits, nothing if it does not come back.
[[nodiscard]] std::optional<std::chrono::milliseconds> hold_for(
    const attempt_failure& what, std::optional<std::chrono::milliseconds> delay);

// 30 years: what a server asks for beyond is that. It is longer than any patience, and can be
// added to any clock.
inline constexpr std::chrono::milliseconds longest_wish{1'000'000'000'000};

// "Fri, 20 Nov 2026 07:37:09 GMT" (RFC 9110's preferred form).
[[nodiscard]] std::optional<base::wall_time> parse_http_date(std::string_view text);

// The delay that a reply's headers ask for: retry-after-ms, else retry-after in seconds or as
// an HTTP date. Nothing where it is zero, past or unreadable; then the own backoff holds.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_retry_after(
    std::string_view retry_after_ms, std::string_view retry_after, base::wall_time now);

class retry_policy {
public:
    struct again {
        std::chrono::milliseconds delay{0};
    };
    struct give_up {
        std::string why; // "" where the failure says it all
    };
    using decision = std::variant<again, give_up>;

    // From `start` on `retry_for` may be spent; `attempts` in all, 0: any number.
    retry_policy(std::chrono::milliseconds retry_for, std::int64_t attempts, base::mono_time start)
        : retry_for_(retry_for), attempts_(attempts), start_(start)
    {}

    // After each failed attempt; `random` in [0, 1) is the jitter's.
    [[nodiscard]] decision on_failure(
        const attempt_failure& what, base::mono_time now, double random);
    // Attempts that have failed so far.
    [[nodiscard]] std::int64_t failed() const { return failed_; }
    // With another model the backoff starts anew; time and number go on.
    void start_backoff_anew() { backoffs_ = 0; }
    // How long may still be waited.
    [[nodiscard]] std::chrono::milliseconds left(base::mono_time now) const;

private:
    [[nodiscard]] bool is_final(const attempt_failure& what) const;
    [[nodiscard]] std::chrono::milliseconds delay_for(const attempt_failure& what, double random);

    std::chrono::milliseconds retry_for_;
    std::int64_t attempts_;
    base::mono_time start_;
    std::int64_t failed_ = 0;
    std::int64_t malformed_ = 0;
    int backoffs_ = 0;
};

} // namespace agentd::model
