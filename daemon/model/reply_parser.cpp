#include "model/reply_parser.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "model/error.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/parser.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

namespace agentd::model {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using parser = http::response_parser<http::buffer_body>;

// Of a read, and of a body handed on at once. Most streams come in small records and wait long
// between them; one that fills what it has gets room for the largest record of TLS.
constexpr std::size_t first_bytes = 4U << 10;
constexpr std::size_t most_bytes = 16U << 10;

reply_head read_head(const parser::value_type& message)
{
    reply_head head;
    head.status = static_cast<int>(message.result_int());
    for (const auto& entry : message)
        head.fields.emplace_back(base::lower(entry.name_string()), entry.value());
    return head;
}

base::error bad_http(std::string_view why)
{
    return {errc::bad_http, fmt::format("the reply is no HTTP: {}", why)};
}

} // namespace

std::string_view reply_head::field(std::string_view name) const
{
    const auto found = std::ranges::find(
        fields, name, [](const auto& entry) -> std::string_view { return entry.first; });
    return found == fields.end() ? std::string_view{} : std::string_view{found->second};
}

struct reply_parser::state {
    state() { start(); }

    void start()
    {
        http_.emplace();                // not eager: a head is told before trailers join its fields
        http_->body_limit(boost::none); // Beast's 8 MB would end long streams
        http_->header_limit(limits::reply_header_bytes);
        head_told = false;
    }

    // 1xx: not the reply yet (§5).
    [[nodiscard]] bool is_interim() const { return http_->get().result_int() / 100 == 1; }

    std::optional<parser> http_;
    // Room for a head, and for a read beyond it.
    beast::flat_buffer in{limits::reply_header_bytes + most_bytes};
    std::vector<char> piece = std::vector<char>(first_bytes);
    std::size_t interim = 0;
    bool head_told = false;
    bool enough = false;
};

reply_parser::reply_parser() : state_(std::make_unique<state>()) {}
reply_parser::~reply_parser() = default;

std::span<char> reply_parser::room()
{
    auto& in = state_->in;
    const auto free = std::min(state_->piece.size(), in.max_size() - in.size());
    const auto buffer = in.prepare(free);
    return {static_cast<char*>(buffer.data()), buffer.size()};
}

base::result<> reply_parser::take(std::size_t count, reply_taker& into)
{
    auto& s = *state_;
    s.in.commit(count);
    if (count == s.piece.size())
        s.piece.resize(most_bytes);
    while (s.in.size() != 0 && !s.http_->is_done()) {
        auto& body = s.http_->get().body();
        body.data = s.piece.data();
        body.size = s.piece.size();
        error_code failed;
        const auto used = s.http_->put(s.in.data(), failed);
        s.in.consume(used);
        const bool bad =
            failed && failed != http::error::need_more && failed != http::error::need_buffer;
        if (bad && !s.head_told)
            return std::unexpected(bad_http(failed.message()));
        if (s.http_->is_header_done() && s.is_interim()) {
            if (s.http_->get().result_int() == 101 || ++s.interim > limits::interim_replies)
                return std::unexpected(bad_http("an interim reply that was not asked for"));
            s.start();
            continue;
        }
        if (s.http_->is_header_done() && !s.head_told) {
            s.head_told = true;
            s.http_->eager(true);
            into.on_head(read_head(s.http_->get()));
        }
        const std::size_t emitted = s.piece.size() - body.size;
        if (emitted != 0 && !s.enough)
            s.enough = !into.on_body({s.piece.data(), emitted});
        if (bad) // what was right before it has been told
            return std::unexpected(bad_http(failed.message()));
        if (failed == http::error::need_more || (used == 0 && emitted == 0))
            break;
    }
    if (s.in.size() == s.in.max_size() && !s.http_->is_done())
        return std::unexpected(bad_http("a part of it is too long"));
    return {};
}

base::result<> reply_parser::end()
{
    error_code failed;
    auto& s = *state_;
    if (s.http_->got_some())
        s.http_->put_eof(failed);
    if (failed || !s.http_->is_done())
        return std::unexpected(
            base::error{errc::closed, "the server closed the connection within a reply"});
    return {};
}

bool reply_parser::is_whole() const
{
    return state_->http_->is_done();
}

bool reply_parser::has_enough() const
{
    return state_->enough;
}

// "timeout=5, max=100"; more than a day says nothing.
std::optional<std::chrono::seconds> reply_parser::kept_for() const
{
    constexpr std::string_view name = "timeout=";
    const auto& message = state_->http_->get();
    const auto found = message.find(http::field::keep_alive);
    const std::string value = found == message.end() ? std::string{} : base::lower(found->value());
    const auto at = value.find(name);
    unsigned seconds = 0;
    if (at == std::string::npos)
        return std::nullopt;
    const char* const digits = value.data() + at + name.size();
    const auto [end, failed] = std::from_chars(digits, value.data() + value.size(), seconds);
    if (failed != std::errc{} || seconds > std::chrono::seconds{std::chrono::days{1}}.count())
        return std::nullopt;
    return std::chrono::seconds{seconds};
}

bool reply_parser::leaves_reusable() const
{
    return is_whole() && state_->in.size() == 0 && state_->http_->keep_alive();
}

} // namespace agentd::model
