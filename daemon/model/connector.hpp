// How a connection to one origin comes to be: look up, connect, through the proxy where there
// is one, TLS. Holds what its connections share: the name's look-ups, the trust, the sessions.
#pragma once

#include "aio/awaitable.hpp"
#include "base/error.hpp"
#include "model/connection.hpp"
#include "model/options.hpp"
#include "model/proxy.hpp"
#include "model/url.hpp"

#include <memory>
#include <optional>

namespace agentd::model {

class connector {
public:
    // `io` is the io_context's executor, which the sockets live on. `via`: the proxy, or none.
    connector(aio::executor io, url to, std::optional<proxy> via, const options& what);
    ~connector();
    connector(const connector&) = delete;
    connector& operator=(const connector&) = delete;

    // A connection that is ready for a request; on the caller's strand, any number at once, each
    // stage within its deadline. Errors: cannot_connect, timed_out and broken, which may work
    // another time; tls_refused, proxy_refused, bad_options.
    [[nodiscard]] aio::awaitable<base::result<connection_ptr>> open();

private:
    struct parts;
    std::unique_ptr<parts> parts_;
};

} // namespace agentd::model
