#include "model/connector.hpp"

#include "aio/deadline.hpp"
#include "base/limits.hpp"
#include "model/dial.hpp"
#include "model/error.hpp"
#include "model/tls_sessions.hpp"
#include "model/transport.hpp"
#include "model/tunnel.hpp"

#include <utility>

namespace agentd::model {

struct connector::parts {
    parts(aio::executor on, url target, std::optional<proxy> through, const options& what)
        : io(std::move(on)),
          to(std::move(target)),
          via(std::move(through)),
          limit(what.limits),
          names(lookup_of(first_hop().host)),
          trust(trust_in(what.ca_file))
    {}

    // With a proxy the target's name is the proxy's to look up.
    [[nodiscard]] const url& first_hop() const { return via ? via->at : to; }

    const aio::executor io;
    const url to;
    const std::optional<proxy> via;
    const deadlines limit;
    name_lookup names;
    tls_trust trust;
    const std::shared_ptr<tls_sessions> sessions = std::make_shared<tls_sessions>();
};

namespace {

// Of a wait for the certificates. Not the file's fault where the machine has no thread for it.
base::error trust_error(base::error why)
{
    if (why.is(aio::errc::timed_out))
        return {errc::timed_out, "reading the trusted certificates: " + why.text};
    if (why.is(errc::bad_options))
        return why;
    return {errc::cannot_connect, std::move(why.text)};
}

} // namespace

connector::connector(aio::executor io, url to, std::optional<proxy> via, const options& what)
    : parts_(std::make_unique<parts>(std::move(io), std::move(to), std::move(via), what))
{}

connector::~connector() = default;

aio::awaitable<base::result<connection_ptr>> connector::open()
{
    auto& with = *parts_;
    tls_setting tls{.context = {}, .sessions = with.sessions};
    if (with.to.tls) {
        auto reading = with.trust.wanted(); // a disk's deadline, not one of the network's
        auto read = co_await aio::with_deadline(std::move(reading), limits::handshake_deadline);
        if (!read)
            co_return std::unexpected(trust_error(std::move(read.error())));
        tls.context = std::move(*read);
    }
    auto socket = co_await dial(with.io, with.names, with.first_hop(), with.limit.connect);
    if (!socket && with.via)
        co_return std::unexpected(
            base::error{socket.error().code, "the proxy: " + socket.error().text});
    if (!socket)
        co_return std::unexpected(std::move(socket.error()));
    if (!with.to.tls) {
        connection_ptr plain = plain_over(std::move(*socket));
        co_return plain;
    }
    if (with.via) {
        auto opened = co_await open_tunnel(*socket, with.to, *with.via, with.limit.connect);
        if (!opened)
            co_return std::unexpected(std::move(opened.error()));
    }
    co_return co_await tls_over(std::move(*socket), std::move(tls), with.to, with.limit.handshake);
}

} // namespace agentd::model
