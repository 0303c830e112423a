#include "model/anthropic/failures.hpp"

#include "base/limits.hpp"
#include "model/error.hpp"

#include <fmt/format.h>

namespace agentd::model::anthropic {
namespace {

using kind = attempt_failure::kind;

double seconds(std::chrono::milliseconds span)
{
    return static_cast<double>(span.count()) / 1000;
}

} // namespace

attempt_failure connect_failure(const base::error& why)
{
    attempt_failure failed;
    const bool final = why.is(errc::tls_refused) || why.is(errc::proxy_refused) ||
        why.is(errc::bad_options); // certificates that cannot be read
    failed.what = final ? kind::refused : kind::connection;
    failed.told.message = why.text;
    if (why.is(errc::timed_out))
        failed.told.type = "timeout";
    else if (why.is(errc::proxy_refused))
        failed.told.type = "proxy_error";
    else
        failed.told.type = why.is(errc::cannot_connect) ? "connect_error" : "tls_error";
    return failed;
}

bool is_stale(const exchange_end& end)
{
    return !end.any_byte && !end.how && !end.how.error().is(errc::timed_out);
}

attempt_failure refused_before()
{
    attempt_failure failed;
    failed.what = kind::http;
    failed.told.type = "authentication_error";
    failed.told.message = "the model's server has refused the credential (401); it is not asked "
                          "again before configuration and key are read anew";
    failed.told.status = 401;
    return failed;
}

attempt_failure limit_of_others()
{
    attempt_failure failed;
    failed.what = kind::useless; // nothing to be gained by asking again
    failed.told.type = "rate_limit_error";
    failed.told.message = "the server asked others to wait, who want the same model";
    return failed;
}

failure own_limit_failure(std::size_t bytes)
{
    failure failed;
    failed.type = "request_too_large";
    failed.message =
        fmt::format("the request has {} bytes, the API takes {}", bytes, limits::request_bytes);
    failed.too_long = true;
    return failed;
}

std::string too_long_to_wait(std::chrono::milliseconds wait, std::chrono::milliseconds left)
{
    return fmt::format("it would have to wait {:.1f} s, {:.1f} s are left for retries",
        seconds(wait), seconds(left));
}

} // namespace agentd::model::anthropic
