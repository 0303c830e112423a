// Beast's parser driven by hand over our own reads: its composed operations would cost three
// times the compile, and limits have to hold between any two bytes.
#include "api/http_reader.hpp"

#include "base/import_limits.hpp"
#include "base/text.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>

namespace agentd::api {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using parser = http::request_parser<http::string_body>;

constexpr std::size_t read_bytes = 16 * 1024;

base::error translated(const beast::error_code& failure)
{
    if (failure == http::error::header_limit)
        return {errc::header_too_large, "the request's head is too large"};
    if (failure == http::error::body_limit)
        return {errc::body_too_large, "the body is too large"};
    return {errc::bad_http, failure.message()};
}

std::string_view view(beast::string_view text)
{
    return {text.data(), text.size()};
}

// The one call whose body may be large: POST /v1/sessions/import.
bool comes_in_pieces(const parser& from)
{
    const auto target = view(from.get().target());
    return from.get().method() == http::verb::post &&
        target.substr(0, target.find('?')) == "/v1/sessions/import";
}

base::result<request> taken_apart(parser& from)
{
    request out;
    auto& message = from.get();
    out.method = view(message.method_string());
    out.chunks = message.version() >= 11;
    out.keep_alive = from.keep_alive();
    for (const auto& field : message)
        out.fields.emplace_back(base::lower(view(field.name_string())), view(field.value()));
    if (auto target = take_target(out, view(message.target())); !target)
        return std::unexpected(std::move(target.error()));
    out.body = std::move(message.body());
    return out;
}

} // namespace

struct http_reader::state {
    state(transport& f, const options& b) : from(&f), bounds(&b) {}

    transport* from;
    const options* bounds;
    beast::flat_buffer unread;
    std::optional<parser> current;
    bool first = true; // no request has come yet
};

http_reader::http_reader(transport& from, const options& bounds)
    : state_(std::make_unique<state>(from, bounds))
{}

http_reader::~http_reader() = default;

bool http_reader::failed_on_head() const
{
    return state_->current && state_->current->get().method() == http::verb::head;
}

aio::awaitable<base::result<>> http_reader::read_more(base::mono_time until)
{
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - base::mono_now());
    const auto room = state_->unread.prepare(read_bytes);
    const auto limit = std::max(left, std::chrono::milliseconds{1});
    auto got =
        co_await state_->from->read_some(static_cast<char*>(room.data()), room.size(), limit);
    if (!got)
        co_return std::unexpected(std::move(got.error()));
    state_->unread.commit(*got);
    co_return base::result<>{};
}

// False: the client has finished, or idles.
aio::awaitable<base::result<bool>> http_reader::await_first_byte()
{
    auto& unread = state_->unread;
    const auto until =
        base::mono_now() + (state_->first ? state_->bounds->header_deadline : state_->bounds->idle);
    for (;;) {
        // Empty lines before a request are allowed (RFC 9112 §2.2).
        while (unread.size() > 0) {
            const char c = *static_cast<const char*>(unread.data().data());
            if (c != '\r' && c != '\n')
                co_return true;
            unread.consume(1);
        }
        unread.shrink_to_fit();
        auto more = co_await read_more(until);
        if (!more)
            co_return false;
    }
}

// Feeds the parser until the head, or the whole request, is there.
aio::awaitable<base::result<>> http_reader::put_until(bool whole, base::mono_time until)
{
    auto& in = *state_->current;
    while (whole ? !in.is_done() : !in.is_header_done()) {
        beast::error_code failure;
        const auto used = in.put(state_->unread.data(), failure);
        state_->unread.consume(used);
        if (failure && failure != http::error::need_more)
            co_return std::unexpected(translated(failure));
        const bool progress = used > 0 && state_->unread.size() > 0;
        if ((whole ? in.is_done() : in.is_header_done()) || (progress && !failure))
            continue;
        if (base::mono_now() >= until)
            co_return std::unexpected(
                base::error{errc::request_timeout, "the request did not come in time"});
        auto more = co_await read_more(until);
        if (!more)
            co_return std::unexpected(std::move(more.error()));
    }
    co_return base::result<>{};
}

aio::awaitable<base::result<>> http_reader::read_head()
{
    const auto until = base::mono_now() + state_->bounds->header_deadline;
    auto& in = state_->current.emplace();
    in.header_limit(static_cast<std::uint32_t>(state_->bounds->header_bytes));
    in.body_limit(limits::import_bytes);
    co_return co_await put_until(false, until);
}

// Before the body: is it wanted, and is it not too long.
aio::awaitable<base::result<>> http_reader::begin_body()
{
    auto& in = *state_->current;
    if (!comes_in_pieces(in)) {
        const auto length = in.content_length();
        if (length && *length > state_->bounds->body_bytes)
            co_return std::unexpected(translated(http::error::body_limit));
        in.body_limit(state_->bounds->body_bytes);
    }
    const auto expected = base::lower(view(in.get()[http::field::expect]));
    if (!expected.empty() && expected != "100-continue")
        co_return std::unexpected(
            base::error{errc::expectation_failed, "only 100-continue may be expected"});
    if (expected == "100-continue" && !in.is_done() && state_->unread.size() == 0) {
        auto sent = co_await state_->from->write("HTTP/1.1 100 Continue\r\n\r\n");
        if (!sent)
            co_return std::unexpected(std::move(sent.error()));
    }
    in.eager(true);
    co_return base::result<>{};
}

aio::awaitable<base::result<>> http_reader::read_body()
{
    const auto until = base::mono_now() + state_->bounds->body_deadline;
    co_return co_await put_until(true, until);
}

aio::awaitable<base::result<std::string>> http_reader::next_piece()
{
    auto& in = *state_->current;
    auto& body = in.get().body();
    const auto until = base::mono_now() + state_->bounds->body_deadline;
    while (!in.is_done() && body.size() < limits::import_piece_bytes) {
        beast::error_code failure;
        const auto used = in.put(state_->unread.data(), failure);
        state_->unread.consume(used);
        if (failure && failure != http::error::need_more)
            co_return std::unexpected(translated(failure));
        if (in.is_done() || (used > 0 && state_->unread.size() > 0 && !failure))
            continue;
        if (base::mono_now() >= until)
            co_return std::unexpected(
                base::error{errc::request_timeout, "the request did not come in time"});
        auto more = co_await read_more(until);
        if (!more)
            co_return std::unexpected(std::move(more.error()));
    }
    std::string piece{body};
    body.clear();
    co_return piece;
}

bool http_reader::body_left() const
{
    return state_->current && !state_->current->is_done();
}

aio::awaitable<base::result<std::optional<request>>> http_reader::next()
{
    state_->current.reset();
    const auto begun = co_await await_first_byte();
    if (!begun || !*begun)
        co_return std::optional<request>{};
    auto head = co_await read_head();
    if (!head)
        co_return std::unexpected(std::move(head.error()));
    auto wanted = co_await begin_body();
    if (!wanted)
        co_return std::unexpected(std::move(wanted.error()));
    const bool in_pieces = comes_in_pieces(*state_->current);
    if (!in_pieces) {
        auto body = co_await read_body();
        if (!body)
            co_return std::unexpected(std::move(body.error()));
    }
    state_->first = false;
    auto whole = taken_apart(*state_->current);
    if (in_pieces && whole)
        whole->in_pieces = true;
    else
        state_->current.reset();
    if (!whole)
        co_return std::unexpected(std::move(whole.error()));
    co_return std::optional<request>{std::move(*whole)};
}

} // namespace agentd::api
