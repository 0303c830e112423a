#include "model/retry_policy.hpp"

#include <doctest/doctest.h>

using namespace agentd;
using namespace agentd::model;
using namespace std::chrono_literals;
using kind = attempt_failure::kind;

namespace {

const base::mono_time first_try{};

attempt_failure http(int status, std::string type = "")
{
    attempt_failure failed;
    failed.what = kind::http;
    failed.told.status = status;
    failed.told.type = std::move(type);
    return failed;
}

attempt_failure of(kind what, std::string type = "")
{
    attempt_failure failed;
    failed.what = what;
    failed.told.type = std::move(type);
    return failed;
}

bool is_retried(const attempt_failure& what)
{
    retry_policy policy{900s, 0, first_try};
    return std::holds_alternative<retry_policy::again>(policy.on_failure(what, first_try, 0));
}

std::chrono::milliseconds delay(retry_policy& policy, const attempt_failure& what, double random,
    base::mono_time now = first_try)
{
    const auto next = policy.on_failure(what, now, random);
    const auto* again = std::get_if<retry_policy::again>(&next);
    return again == nullptr ? -1ms : again->delay;
}

attempt_failure with_code(attempt_failure from, std::string code)
{
    from.code = std::move(code);
    return from;
}

attempt_failure wishing(attempt_failure from, bool should)
{
    from.should_retry = should;
    return from;
}

} // namespace

TEST_CASE("retry policy: which failures are tried again")
{
    struct row {
        std::string_view what;
        attempt_failure failed;
        bool retried;
    };
    const row table[] = {
        {"no connection, or a lost one", of(kind::connection), true},
        {"the wrong peer", of(kind::refused), false},
        {"HTML with status 200", of(kind::useless), false},
        {"nonsense in a stream, once", of(kind::malformed), true},
        {"an overload in a stream", of(kind::stream, "overloaded_error"), true},
        {"an unknown error in a stream", of(kind::stream, "server_error"), true},
        {"a bad request in a stream", of(kind::stream, "invalid_request_error"), false},
        {"307", http(307), false},
        {"400", http(400), false},
        {"401", http(401), false},
        {"402", http(402), false},
        {"403", http(403), false},
        {"404", http(404), false},
        {"408", http(408), true},
        {"409", http(409), true},
        {"413", http(413), false},
        {"422", http(422), false},
        {"429", http(429), true},
        {"499", http(499), false},
        {"500", http(500), true},
        {"502", http(502), true},
        {"503", http(503), true},
        {"504", http(504), true},
        {"529", http(529), true},
        {"case 54: spend limit", with_code(http(429), "enforced_spend_limit_reached"), false},
        {"spend limit of a contract", with_code(http(429), "contract_spend_limit_reached"), false},
        {"spend limit, though the header says otherwise",
            wishing(with_code(http(429), "enforced_spend_limit_reached"), true), false},
        {"another limit", with_code(http(429), "ramp_limit_exceeded"), true},
        {"case 55: 400 that should", wishing(http(400), true), true},
        {"401, though the header says otherwise", wishing(http(401), true), false},
        {"case 56: 500 that should not", wishing(http(500), false), false},
    };
    for (const auto& r : table)
        CHECK_MESSAGE(is_retried(r.failed) == r.retried, r.what);
}

TEST_CASE("retry policy: the backoff doubles from half a second to thirty, jitter only shortens it")
{
    retry_policy least{900s, 0, first_try}, most{900s, 0, first_try};
    for (const auto full : {500, 1000, 2000, 4000, 8000, 16000, 30000, 30000}) {
        CHECK(delay(most, of(kind::connection), 0).count() == full);
        CHECK(delay(least, of(kind::connection), 1).count() == full * 3 / 4);
    }
}

TEST_CASE("retry policy: case 51, the server's wish is a floor that jitter only adds to")
{
    retry_policy policy{900s, 0, first_try};
    auto limited = http(429);
    limited.retry_after = 120ms;
    CHECK(delay(policy, limited, 0) == 120ms);
    CHECK(delay(policy, limited, 1) == 132ms);
    CHECK(delay(policy, of(kind::connection), 0) == 500ms); // it has not counted as a backoff
}

TEST_CASE("retry policy: it ends when the number or the time is spent, and says so")
{
    retry_policy three{900s, 3, first_try};
    CHECK(delay(three, http(500), 0) == 500ms);
    CHECK(delay(three, http(500), 0) == 1000ms);
    const auto last = three.on_failure(http(500), first_try, 0);
    CHECK(std::get<retry_policy::give_up>(last).why == "given up after 3 attempts");
    CHECK(three.failed() == 3);

    retry_policy timed{10s, 0, first_try};
    CHECK(delay(timed, http(500), 0, first_try + 9500ms) == 500ms);
    CHECK(timed.left(first_try + 4s) == 6s);
    const auto over = timed.on_failure(http(500), first_try + 9500ms, 0);
    CHECK(std::get<retry_policy::give_up>(over).why.find("given up after 2 attempts") == 0);

    retry_policy patient{10s, 0, first_try};
    auto limited = http(429);
    limited.retry_after = 3600s;
    const auto beyond = patient.on_failure(limited, first_try + 4s, 0);
    CHECK(std::get<retry_policy::give_up>(beyond).why ==
        "the server asks to wait 3600.0 s, 6.0 s are left for retries");
}

TEST_CASE("retry policy: a server that talks nonsense is asked three times")
{
    retry_policy policy{900s, 0, first_try};
    CHECK(delay(policy, of(kind::malformed), 0) >= 0ms);
    CHECK(delay(policy, of(kind::connection), 0) >= 0ms); // in between: the count starts anew
    CHECK(delay(policy, of(kind::malformed), 0) >= 0ms);
    CHECK(delay(policy, of(kind::malformed), 0) >= 0ms);
    CHECK(delay(policy, of(kind::malformed), 0) == -1ms);
}

TEST_CASE(
    "retry-after: milliseconds before seconds before a date; what is past or garbage does not count (cases 51-53)")
{
    const auto now = *base::from_rfc3339("2026-11-20T07:00:00.000Z");
    struct row {
        std::string_view ms, after;
        std::optional<std::chrono::milliseconds> expected;
    };
    const row table[] = {
        {"120", "9", 120ms},
        {"1.5", "", 2ms},
        {"", "9", 9000ms},
        {"", " 0.25 ", 250ms},
        {"abc", "2", 2000ms},
        {"-1", "", {}},
        {"0", "0", {}},
        {"", "-5", {}},
        {"", "abc", {}},
        {"", "nan", {}},
        {"", "inf", {}},
        {"", "", {}},
        {"", "Fri, 20 Nov 2026 07:00:02 GMT", 2000ms},
        {"", "Fri, 20 Nov 2026 06:59:59 GMT", {}},
        {"", "Fri, 20 Nov 2026 07:00:02 GMTx", {}},
        {"", "1e300", 1'000'000'000'000ms},
        {"", "Fri, 31 Dec 9999 23:59:59 GMT", 1'000'000'000'000ms},
    };
    for (const auto& r : table)
        CHECK_MESSAGE(parse_retry_after(r.ms, r.after, now) == r.expected, std::string{r.ms}, "|",
            std::string{r.after});
}

TEST_CASE(
    "hold: a limit is everybody's, for the time that is asked, else shortly; no other failure")
{
    auto limited = http(429, "rate_limit_error");
    CHECK(hold_for(limited, 375ms) == 375ms);
    CHECK(hold_for(limited, 30s) == 500ms);
    CHECK(hold_for(limited, {}) == std::nullopt); // it does not come back and knows nothing
    CHECK(hold_for(http(529), 1s) == std::nullopt);
    CHECK(hold_for(http(500), 1s) == std::nullopt);
    limited.retry_after = 7s;
    CHECK(hold_for(limited, {}) == 7s);
    CHECK(hold_for(with_code(limited, "enforced_spend_limit_reached"), {}) == std::nullopt);
    for (const int status : {503, 529}) {
        auto busy = http(status);
        busy.retry_after = 3s;
        CHECK(hold_for(busy, 4s) == 3s);
    }
}
