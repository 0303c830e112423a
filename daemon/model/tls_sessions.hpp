// What TLS servers gave to be resumed with: a new connection that offers such a session needs
// neither the certificates nor their check again. One store per origin and trust: a session
// counts as verified, so none may come from a connection with other certificates trusted.
// Any thread: tickets arrive on the strand of whoever reads. Bounded: limits::tls_sessions.
#pragma once

#include <openssl/ssl.h>

#include <deque>
#include <memory>
#include <mutex>

namespace agentd::model {

class tls_sessions {
public:
    // Connections of `context` hand their sessions to the store that they are used with.
    static void enable(SSL_CTX* context);

    // Before the handshake: offers a session, if there is one; what `connection` is given to be
    // resumed with comes here. Outlives `connection`. True: one was offered.
    bool use_with(SSL* connection);
    // None of them is offered again: a handshake with one has failed.
    void forget();

private:
    struct freed {
        void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
    };
    using session_ptr = std::unique_ptr<SSL_SESSION, freed>;

    static int on_new(SSL* connection, SSL_SESSION* session);
    void keep(session_ptr session);
    session_ptr take();

    std::mutex guard_;
    std::deque<session_ptr> kept_; // the newest last
};

} // namespace agentd::model
