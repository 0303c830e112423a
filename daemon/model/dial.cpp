#include "model/dial.hpp"

#include "aio/condition.hpp"
#include "aio/deadline.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "model/error.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/this_coro.hpp>

#include <fmt/format.h>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

namespace agentd::model {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

base::error cannot(std::string text)
{
    return {errc::cannot_connect, std::move(text)};
}

std::optional<asio::ip::address> address_in(const addrinfo& entry)
{
    if (entry.ai_family == AF_INET) {
        sockaddr_in from{};
        std::memcpy(&from, entry.ai_addr, sizeof from);
        return asio::ip::make_address_v4(ntohl(from.sin_addr.s_addr));
    }
    if (entry.ai_family == AF_INET6) {
        sockaddr_in6 from{};
        std::memcpy(&from, entry.ai_addr, sizeof from);
        asio::ip::address_v6::bytes_type bytes;
        std::memcpy(bytes.data(), &from.sin6_addr, bytes.size());
        return asio::ip::make_address_v6(bytes, from.sin6_scope_id);
    }
    return std::nullopt;
}

// The peer may be gone for hours without a word: the kernel asks now and then (§4.3).
void set_options(int socket)
{
    const auto set = [socket](int level, int name, int value) {
        (void)::setsockopt(socket, level, name, &value, sizeof value); // one lost costs little
    };
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 60);
    set(IPPROTO_TCP, TCP_KEEPCNT, 5);
}

// Asio's own open() leaves a moment without close-on-exec.
error_code open_socket(tcp::socket& into, const tcp& protocol)
{
    const int fd = ::socket(protocol.family(), SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return {errno, boost::system::system_category()};
    set_options(fd);
    error_code failed;
    into.assign(protocol, fd, failed);
    if (failed)
        ::close(fd);
    return failed;
}

struct attempt {
    attempt(const aio::executor& io, tcp::endpoint where) : socket(io), to(std::move(where)) {}
    tcp::socket socket;
    tcp::endpoint to;
    std::optional<error_code> failed;
};

// The attempts of one dial. Shared with their completions, which come after a cancelled socket
// has been closed. On the caller's strand.
struct race {
    explicit race(const aio::executor& strand) : changed(strand) {}

    [[nodiscard]] std::size_t running() const
    {
        return static_cast<std::size_t>(
            std::ranges::count_if(tried, [](const auto& one) { return !one->failed.has_value(); }));
    }

    aio::condition changed;
    std::vector<std::unique_ptr<attempt>> tried;
    attempt* winner = nullptr;
    bool failure = false; // since the last attempt was begun
};
using race_ptr = std::shared_ptr<race>;

// However the dial ends, no attempt goes on behind it.
class closes_all {
public:
    explicit closes_all(race_ptr all) : all_(std::move(all)) {}
    closes_all(const closes_all&) = delete;
    closes_all& operator=(const closes_all&) = delete;
    ~closes_all()
    {
        error_code ignored;
        for (const auto& one : all_->tried)
            one->socket.close(ignored);
    }

private:
    race_ptr all_;
};

void begin(const race_ptr& all, const aio::executor& io, const aio::executor& strand,
    const tcp::endpoint& to)
{
    all->failure = false;
    auto& one = *all->tried.emplace_back(std::make_unique<attempt>(io, to));
    if (const auto failed = open_socket(one.socket, to.protocol())) {
        one.failed = failed;
        all->failure = true;
        return;
    }
    auto finished = [all, &one](const error_code& failed) {
        if (failed) {
            one.failed = failed;
            all->failure = true;
        } else if (all->winner == nullptr) {
            all->winner = &one;
        }
        all->changed.notify_all();
    };
    one.socket.async_connect(to, asio::bind_executor(strand, std::move(finished)));
}

aio::awaitable<base::result<address_list>> addresses_of(name_lookup& names, const url& to)
{
    error_code no_literal;
    const auto literal = asio::ip::make_address(to.host, no_literal);
    if (!no_literal)
        co_return address_list{literal};
    co_return co_await names.wanted();
}

// Until one has won or all have failed. Throws operation_aborted when cancelled.
aio::awaitable<base::result<>> run(
    race_ptr all, aio::executor io, std::uint16_t port, const address_list& addresses)
{
    const auto strand = co_await asio::this_coro::executor;
    std::size_t next = 0;
    while (all->winner == nullptr) {
        const bool more = next < addresses.size();
        const bool none_runs = all->running() == 0;
        if (!more && none_runs)
            co_return std::unexpected(cannot("none answers"));
        auto until = base::mono_time::max();
        if (more) {
            begin(all, io, strand, tcp::endpoint{addresses[next++], port});
            if (all->failure)
                continue; // its socket could not even be made
            if (next < addresses.size())
                until = base::mono_now() + limits::next_address_after;
        }
        while (all->winner == nullptr && !all->failure && base::mono_now() < until)
            co_await all->changed.wait_until(until);
        if (next == addresses.size())
            all->failure = false; // looked at; there is no other to begin for it
    }
    co_return base::result<>{};
}

std::string shown(const tcp::endpoint& to)
{
    return to.address().is_v6() ? fmt::format("[{}]:{}", to.address().to_string(), to.port())
                                : fmt::format("{}:{}", to.address().to_string(), to.port());
}

// Each address with its reason.
base::error nothing_answers(const race& all, const url& to, std::size_t known, milliseconds limit)
{
    std::string text = fmt::format("cannot connect to {}", to.authority());
    for (const auto& one : all.tried) {
        text += fmt::format("{} {}: ", &one == &all.tried.front() ? "," : ";", shown(one->to));
        text += one->failed ? one->failed->message()
                            : fmt::format("no answer within {} ms", limit.count());
    }
    if (known > all.tried.size())
        text += fmt::format("; {} more were not tried", known - all.tried.size());
    return cannot(base::one_line(text, limits::connect_errors_chars));
}

} // namespace

base::result<address_list> look_up(const std::string& host)
{
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int failed = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
    const int number = errno;
    if (failed != 0)
        return std::unexpected(cannot(fmt::format("cannot find the address of {}: {}", host,
            failed == EAI_SYSTEM ? error_code{number, boost::system::system_category()}.message()
                                 : std::string{::gai_strerror(failed)})));
    address_list found;
    for (const auto* entry = list; entry != nullptr; entry = entry->ai_next) {
        if (const auto address = address_in(*entry))
            found.push_back(*address);
    }
    ::freeaddrinfo(list);
    return found;
}

name_lookup lookup_of(
    std::string host, std::function<base::result<address_list>(const std::string&)> how)
{
    const side_work_bounds bounds{
        .threads = limits::lookup_threads, .patience = limits::lookup_patience};
    return name_lookup{
        [host = std::move(host), how = std::move(how)] { return how(host); }, bounds};
}

address_list take_turns(const address_list& found)
{
    address_list families[2]; // [1]: the first one's
    address_list seen;
    for (const auto& address : found) {
        if (std::ranges::find(seen, address) != seen.end())
            continue;
        seen.push_back(address);
        families[address.is_v6() == found.front().is_v6() ? 1 : 0].push_back(address);
    }
    address_list out;
    for (std::size_t i = 0; i < seen.size(); ++i) {
        for (const auto* family : {&families[1], &families[0]}) {
            if (i < family->size() && out.size() < limits::addresses_tried)
                out.push_back((*family)[i]);
        }
    }
    return out;
}

aio::awaitable<base::result<tcp::socket>> dial(
    aio::executor io, name_lookup& names, const url& to, milliseconds limit)
{
    const auto until = base::mono_now() + limit;
    auto looking = addresses_of(names, to);
    auto found = co_await aio::with_deadline(std::move(looking), limit);
    if (!found && found.error().is(aio::errc::timed_out))
        co_return std::unexpected(
            cannot(fmt::format("cannot find the address of {}: {}", to.host, found.error().text)));
    if (!found)
        co_return std::unexpected(cannot(std::move(found.error().text)));
    if (found->empty())
        co_return std::unexpected(cannot(fmt::format("{} has no address", to.host)));
    const auto addresses = take_turns(*found);

    const auto strand = co_await asio::this_coro::executor;
    const auto all = std::make_shared<race>(strand);
    const closes_all at_end{all};
    auto racing = run(all, io, to.port, addresses);
    const auto left = std::chrono::ceil<milliseconds>(until - base::mono_now());
    const auto ended = co_await aio::with_deadline(std::move(racing), left);
    if (!ended && all->winner == nullptr)
        co_return std::unexpected(nothing_answers(*all, to, addresses.size(), limit));
    co_return std::move(all->winner->socket);
}

} // namespace agentd::model
