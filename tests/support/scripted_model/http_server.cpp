// See http_server.hpp.
#include "http_server.hpp"

#include "connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

namespace agentd::testing {

using asio::ip::tcp;

namespace {

constexpr auto as_error = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds accept_pause{20}; // when descriptors have run out

// Chooses http/1.1 where a client offers protocols; offers without it are refused.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* size,
    const unsigned char* offered, unsigned int offered_size, void*)
{
    constexpr unsigned char mine[] = "\x08http/1.1";
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, size, mine, sizeof mine - 1, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

void report(std::exception_ptr failure)
{
    if (!failure)
        return;
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "scripted model: a connection failed: %s\n", error.what());
    }
}

} // namespace

// Order matters: the io_context goes first, and with it the coroutines that use the rest.
struct http_server::state {
    state(scenario from, server_options with)
        : plan{std::move(from)},
          options{std::move(with)},
          records{options.record_file},
          decisions{plan, options.judging, records},
          steering{decisions, records, gates, counts},
          io{static_cast<int>(options.threads)},
          acceptor{io},
          signals{io}
    {}

    asio::awaitable<void> accept_all();
    std::expected<void, std::string> listen();
    std::expected<void, std::string> prepare_tls();
    void start(tcp::socket socket);

    scenario plan;
    server_options options;
    server_counts counts;
    holds gates;
    recorder records;
    director decisions;
    control steering;
    asio::ssl::context tls{asio::ssl::context::tls_server};
    asio::io_context io;
    tcp::acceptor acceptor;
    asio::signal_set signals;
};

std::expected<void, std::string> http_server::state::prepare_tls()
{
    auto material = make_tls_material(options.certificate);
    if (!material)
        return std::unexpected(material.error());
    boost::system::error_code error;
    tls.set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1, error);
    if (!error)
        tls.use_certificate_chain(asio::buffer(material->certificate), error);
    if (!error)
        tls.use_private_key(asio::buffer(material->key), asio::ssl::context::pem, error);
    if (error)
        return std::unexpected("cannot use the certificate: " + error.message());
    SSL_CTX_set_alpn_select_cb(tls.native_handle(), choose_protocol, nullptr);
    return write_pem(options.dir + "/ca.pem", material->ca);
}

std::expected<void, std::string> http_server::state::listen()
{
    tcp::endpoint where{asio::ip::address_v4::loopback(), options.port};
    boost::system::error_code error;
    acceptor.open(where.protocol(), error);
    if (!error)
        acceptor.set_option(asio::socket_base::reuse_address{true}, error);
    if (!error)
        acceptor.bind(where, error);
    if (!error)
        acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error)
        return std::unexpected("cannot listen: " + error.message());
    return {};
}

void http_server::state::start(tcp::socket socket)
{
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay{true}, ignored);
    auto strand = socket.get_executor();
    auto stream = options.plain ? make_plain_stream(std::move(socket))
                                : make_tls_stream(std::move(socket), tls);
    connection_parts parts{
        decisions, steering, gates, counts, plan.max_body_bytes, plan.idle_close};
    asio::co_spawn(strand, serve_connection(std::move(stream), parts),
        report); // allow(check-coroutines): the io_context owns connections
}

asio::awaitable<void> http_server::state::accept_all()
{
    for (;;) {
        auto strand = asio::make_strand(io);
        tcp::socket socket{strand};
        auto [error] = co_await acceptor.async_accept(socket, as_error);
        if (error == asio::error::operation_aborted)
            co_return;
        if (error) {
            asio::steady_timer pause{io, accept_pause};
            co_await pause.async_wait(as_error);
            continue;
        }
        start(std::move(socket));
    }
}

http_server::http_server(std::unique_ptr<state> made) : state_{std::move(made)} {}

http_server::~http_server() = default;

std::expected<std::unique_ptr<http_server>, std::string> http_server::open(
    scenario plan, server_options options)
{
    auto made = std::make_unique<state>(std::move(plan), std::move(options));
    if (!made->options.plain)
        if (auto ready = made->prepare_tls(); !ready)
            return std::unexpected(ready.error());
    if (auto ready = made->listen(); !ready)
        return std::unexpected(ready.error());
    asio::co_spawn(made->io, made->accept_all(),
        report); // allow(check-coroutines): lives as long as the server
    return std::unique_ptr<http_server>{new http_server{std::move(made)}};
}

std::uint16_t http_server::port() const
{
    boost::system::error_code ignored;
    return state_->acceptor.local_endpoint(ignored).port();
}

std::string http_server::url() const
{
    return (state_->options.plain ? "http://127.0.0.1:" : "https://127.0.0.1:") +
        std::to_string(port());
}

std::string http_server::ca_file() const
{
    return state_->options.plain ? std::string{} : state_->options.dir + "/ca.pem";
}

void http_server::run()
{
    std::vector<std::jthread> helpers;
    for (std::size_t i = 1; i < state_->options.threads; ++i)
        helpers.emplace_back([this] { state_->io.run(); });
    state_->io.run();
}

void http_server::run_until_signal()
{
    state_->signals.add(SIGTERM);
    state_->signals.add(SIGINT);
    state_->signals.async_wait([this](boost::system::error_code error, int) {
        if (!error)
            stop();
    });
    run();
}

void http_server::stop()
{
    state_->io.stop();
}

} // namespace agentd::testing
