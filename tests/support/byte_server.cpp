#include "tests/support/byte_server.hpp"

#include "tests/support/case_record.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

namespace agentd::testing {
namespace {

struct log {
    mutable std::mutex guard;
    std::vector<std::string> requests;
};

// A socket that two threads may end: its script, and the server when the test is over.
struct socket_slot {
    explicit socket_slot(int descriptor) : fd(descriptor) {}

    void wake()
    {
        const std::lock_guard lock{guard};
        if (fd >= 0)
            ::shutdown(fd, SHUT_RDWR);
    }
    void close()
    {
        const std::lock_guard lock{guard};
        if (fd >= 0)
            ::close(fd.exchange(-1));
    }

    std::mutex guard;
    std::atomic<int> fd;
};
using slot_ptr = std::shared_ptr<socket_slot>;

// Head and body reading on top of a byte stream.
class any_peer : public peer {
public:
    any_peer(slot_ptr slot, log& to, connection_record& seen)
        : seen_(seen), slot_(std::move(slot)), log_(to)
    {}
    ~any_peer() override { slot_->close(); }

    std::string read_head() override
    {
        while (in_.find("\r\n\r\n") == std::string::npos) {
            if (!more())
                return "";
        }
        const auto end = in_.find("\r\n\r\n") + 4;
        std::string head = in_.substr(0, end);
        in_.erase(0, end);
        return head;
    }

    std::string read_request() override
    {
        std::string whole = read_head();
        if (whole.empty())
            return "";
        const auto at = whole.find("content-length: ");
        const std::size_t length =
            at == std::string::npos ? 0 : std::strtoul(whole.c_str() + at + 16, nullptr, 10);
        while (in_.size() < length) {
            if (!more())
                return "";
        }
        whole += in_.substr(0, length);
        in_.erase(0, length);
        const std::lock_guard lock{log_.guard};
        log_.requests.push_back(whole);
        return whole;
    }

    bool client_leaves(std::chrono::milliseconds limit) override
    {
        const auto until = std::chrono::steady_clock::now() + limit;
        while (std::chrono::steady_clock::now() < until) {
            pollfd wait{.fd = fd(), .events = POLLIN, .revents = 0};
            ::poll(&wait, 1, 20);
            if (wait.revents != 0 && !more())
                return true;
        }
        return false;
    }

    void reset() override
    {
        const linger hard{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        ended("RST by the server");
        slot_->close();
    }

    void cut() override
    {
        ended(seen_.tls ? "FIN by the server, no close_notify" : "FIN by the server");
        slot_->close();
    }
    [[nodiscard]] std::string sni() const override { return ""; }

    void relay(std::uint16_t port) override
    {
        const int other = connected_to(port);
        bool goes_on = other >= 0;
        while (goes_on) {
            goes_on = forward(other);
            pollfd wait[2]{{.fd = fd(), .events = POLLIN, .revents = 0},
                {.fd = other, .events = POLLIN, .revents = 0}};
            ::poll(wait, 2, 100);
            if (wait[0].revents != 0)
                goes_on = goes_on && more();
            if (wait[1].revents != 0)
                goes_on = goes_on && bring_back(other);
        }
        if (other >= 0)
            ::close(other);
    }

protected:
    virtual long read(char* into, std::size_t size) = 0;
    [[nodiscard]] int fd() const { return slot_->fd; }
    void ended(std::string_view how)
    {
        if (seen_.end.empty())
            seen_.end = how;
    }

    connection_record& seen_; // what of it is written down when it is over

private:
    static int connected_to(std::uint16_t port)
    {
        const int other = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        to.sin_port = htons(port);
        if (::connect(other, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0)
            return other;
        ::close(other);
        return -1;
    }
    // What has come so far goes to `other`.
    bool forward(int other)
    {
        const std::string bytes = std::exchange(in_, {});
        return bytes.empty() ||
            ::send(other, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size());
    }
    bool bring_back(int other)
    {
        char chunk[16384];
        const auto got = ::recv(other, chunk, sizeof chunk, 0);
        if (got > 0)
            send({chunk, static_cast<std::size_t>(got)});
        return got > 0;
    }
    bool more()
    {
        char chunk[16384];
        const long got = fd() < 0 ? 0 : read(chunk, sizeof chunk);
        if (got <= 0) {
            ended("left by the client");
            return false;
        }
        in_.append(chunk, static_cast<std::size_t>(got));
        seen_.received.add({chunk, static_cast<std::size_t>(got)});
        return true;
    }

    slot_ptr slot_;
    log& log_;
    std::string in_;
};

class plain_peer final : public any_peer {
public:
    using any_peer::any_peer;
    void send(std::string_view bytes) override
    {
        while (!bytes.empty()) {
            const auto sent = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0)
                return;
            seen_.sent.add(bytes.substr(0, static_cast<std::size_t>(sent)));
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }

private:
    long read(char* into, std::size_t size) override { return ::recv(fd(), into, size, 0); }
};

class tls_peer final : public any_peer {
public:
    tls_peer(const slot_ptr& slot, log& to, connection_record& seen, SSL_CTX* context)
        : any_peer(slot, to, seen), ssl_(SSL_new(context))
    {
        SSL_set_fd(ssl_, slot->fd);
    }
    ~tls_peer() override
    {
        if (fd() >= 0 && shaken_)
            SSL_shutdown(ssl_); // close_notify; cut() and reset() come without
        SSL_free(ssl_);
    }
    bool shake_hands()
    {
        shaken_ = SSL_accept(ssl_) == 1;
        seen_.sni = sni();
        if (!shaken_) {
            const char* why = ERR_reason_error_string(ERR_peek_last_error());
            ended(std::string{"no handshake: "} + (why == nullptr ? "left by the client" : why));
        }
        return shaken_;
    }
    void send(std::string_view bytes) override
    {
        if (bytes.empty() || fd() < 0)
            return;
        if (SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) > 0)
            seen_.sent.add(bytes);
    }
    [[nodiscard]] std::string sni() const override
    {
        const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
        return name == nullptr ? "" : name;
    }
    [[nodiscard]] bool resumed() const override { return SSL_session_reused(ssl_) == 1; }

private:
    long read(char* into, std::size_t size) override
    {
        return SSL_read(ssl_, into, static_cast<int>(size));
    }

    SSL* ssl_;
    bool shaken_ = false;
};

SSL_CTX* make_context(const certificate& from)
{
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    BIO* chain = BIO_new_mem_buf(from.chain.data(), static_cast<int>(from.chain.size()));
    BIO* key = BIO_new_mem_buf(from.key.data(), static_cast<int>(from.key.size()));
    X509* own = PEM_read_bio_X509(chain, nullptr, nullptr, nullptr);
    EVP_PKEY* secret = PEM_read_bio_PrivateKey(key, nullptr, nullptr, nullptr);
    SSL_CTX_use_certificate(context, own);
    SSL_CTX_use_PrivateKey(context, secret);
    X509_free(own);
    EVP_PKEY_free(secret);
    BIO_free(chain);
    BIO_free(key);
    return context;
}

} // namespace

void peer::send_bytewise(std::string_view bytes)
{
    for (const char byte : bytes)
        send({&byte, 1});
}

struct byte_server::state {
    std::vector<script> scripts;
    std::string test = current_case();
    SSL_CTX* tls = nullptr;
    int listening = -1;
    std::uint16_t port = 0;
    log seen;
    std::atomic<std::size_t> taken{0};
    std::atomic<bool> stopping{false};
    std::mutex guard; // of the two below
    std::vector<slot_ptr> open;
    std::vector<std::thread> workers;
    std::thread accepting;

    void serve(const slot_ptr& slot, std::size_t number)
    {
        const auto& run = scripts[std::min(number, scripts.size() - 1)];
        connection_record note;
        note.run = test;
        note.number = number;
        note.tls = tls != nullptr;
        if (tls == nullptr) {
            plain_peer with{slot, seen, note};
            run(with);
        } else {
            tls_peer with{slot, seen, note, tls};
            if (with.shake_hands())
                run(with);
        }
        if (note.end.empty())
            note.end = "closed by the server";
        else if (stopping && note.end == "left by the client")
            note.end = "open to the test's end";
        record(note);
    }

    void accept()
    {
        while (!stopping) {
            pollfd wait{.fd = listening, .events = POLLIN, .revents = 0};
            if (::poll(&wait, 1, 20) <= 0)
                continue;
            const int fd = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0)
                continue;
            const int on = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            const std::size_t number = taken++;
            const std::lock_guard lock{guard};
            const auto slot = open.emplace_back(std::make_shared<socket_slot>(fd));
            workers.emplace_back([this, slot, number] { serve(slot, number); });
        }
    }
};

byte_server::byte_server(
    std::vector<script> scripts, std::optional<certificate> tls, const listen_wish& where)
    : state_(std::make_unique<state>())
{
    state_->scripts = std::move(scripts);
    if (tls)
        state_->tls = make_context(*tls);
    if (tls && where.old_tls)
        SSL_CTX_set_max_proto_version(state_->tls, TLS1_2_VERSION);
    state_->listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(where.port);
    ::inet_pton(AF_INET, where.address.c_str(), &address.sin_addr);
    socklen_t size = sizeof address;
    const int again = 1; // a port that another test has just left
    ::setsockopt(state_->listening, SOL_SOCKET, SO_REUSEADDR, &again, sizeof again);
    ::bind(state_->listening, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(state_->listening, 128);
    ::getsockname(state_->listening, reinterpret_cast<sockaddr*>(&address), &size);
    state_->port = ntohs(address.sin_port);
    state_->accepting = std::thread{[s = state_.get()] { s->accept(); }};
}

byte_server::~byte_server()
{
    state_->stopping = true;
    state_->accepting.join();
    for (const auto& slot : state_->open)
        slot->wake();
    for (auto& worker : state_->workers)
        worker.join();
    ::close(state_->listening);
    SSL_CTX_free(state_->tls);
}

std::uint16_t byte_server::port() const
{
    return state_->port;
}

std::string byte_server::url(std::string_view host) const
{
    return (state_->tls == nullptr ? "http://" : "https://") + std::string{host} + ":" +
        std::to_string(state_->port);
}

std::vector<std::string> byte_server::requests() const
{
    const std::lock_guard lock{state_->seen.guard};
    return state_->seen.requests;
}

std::size_t byte_server::connections() const
{
    return state_->taken;
}

} // namespace agentd::testing
