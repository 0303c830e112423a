#include "model/tls_sessions.hpp"

#include "base/limits.hpp"

namespace agentd::model {
namespace {

// Where a connection has the pointer to its store. (Its app data belong to Asio.)
int slot()
{
    static const int made = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return made;
}

} // namespace

void tls_sessions::enable(SSL_CTX* context)
{
    // The macro SSL_CTX_set_session_cache_mode without its cast. OpenSSL's own cache is for
    // servers: a client has to choose a session itself.
    constexpr long mode = SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL;
    SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, mode, nullptr);
    SSL_CTX_sess_set_new_cb(context, &tls_sessions::on_new);
}

bool tls_sessions::use_with(SSL* connection)
{
    SSL_set_ex_data(connection, slot(), this);
    const auto session = take();
    return session != nullptr && SSL_set_session(connection, session.get()) == 1;
}

void tls_sessions::forget()
{
    const std::lock_guard lock{guard_};
    kept_.clear();
}

// 1: the reference is ours now.
int tls_sessions::on_new(SSL* connection, SSL_SESSION* session)
{
    auto* const store = static_cast<tls_sessions*>(SSL_get_ex_data(connection, slot()));
    if (store == nullptr)
        return 0;
    store->keep(session_ptr{session});
    return 1;
}

void tls_sessions::keep(session_ptr session)
{
    const std::lock_guard lock{guard_};
    if (kept_.size() >= limits::tls_sessions)
        kept_.pop_front();
    kept_.push_back(std::move(session));
}

// A ticket of TLS 1.3 is used once (RFC 8446 C.4: twice would let an onlooker link the two);
// a session of TLS 1.2 again and again, each time as a copy: connections write to theirs.
tls_sessions::session_ptr tls_sessions::take()
{
    const std::lock_guard lock{guard_};
    while (!kept_.empty()) {
        auto& newest = kept_.back();
        if (SSL_SESSION_is_resumable(newest.get()) != 1) {
            kept_.pop_back();
            continue;
        }
        if (SSL_SESSION_get_protocol_version(newest.get()) < TLS1_3_VERSION)
            return session_ptr{SSL_SESSION_dup(newest.get())};
        auto taken = std::move(newest);
        kept_.pop_back();
        return taken;
    }
    return nullptr;
}

} // namespace agentd::model
