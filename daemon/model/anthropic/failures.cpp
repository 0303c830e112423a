#include "model/anthropic/failures.hpp"

#include "model/error.hpp"

namespace agentd::model::anthropic {

attempt_failure connect_failure(const base::error& why)
{
    using kind = attempt_failure::kind;
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

} // namespace agentd::model::anthropic
