// Sessions out and in as JSON Lines; see handlers.hpp.
#include "api/form.hpp"
#include "api/handlers.hpp"
#include "proto/api/json.hpp"

namespace agentd::api {
namespace {

class body_pieces final : public session::piece_source {
public:
    explicit body_pieces(http_reader& from) : from_(from) {}
    aio::awaitable<base::result<std::string>> next() override
    {
        co_return co_await from_.next_piece();
    }

private:
    http_reader& from_;
};

} // namespace

aio::awaitable<response> export_session(exchange& x)
{
    parameters in{x.asked};
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    session::export_cursor from;
    auto piece = co_await x.service().export_session(x.who, x.id, from);
    if (!piece)
        co_return x.problem(piece.error());
    auto out = x.stream();
    const auto begun = co_await out.begin(200, "application/x-ndjson", x.stream_fields());
    if (!begun)
        co_return streamed(begun);
    for (;;) {
        const auto sent = co_await out.write(std::move(piece->lines));
        if (!sent)
            co_return streamed(sent);
        if (piece->last)
            break;
        from = piece->next;
        auto more = co_await x.service().export_session(x.who, x.id, from);
        if (!more) // without an end: the client sees that it is cut off
            co_return streamed(std::unexpected(std::move(more.error())));
        piece = std::move(more);
    }
    const auto ended = co_await out.end();
    co_return streamed(ended);
}

aio::awaitable<response> import_session(exchange& x)
{
    parameters in{x.asked};
    session::import_options how;
    if (in.has("workdir"))
        how.workdir = in.text("workdir");
    how.fresh = in.flag("fresh");
    if (how.fresh && how.workdir)
        in.complain("fresh", "does not go with workdir");
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    body_pieces lines{*x.body};
    auto made = co_await x.service().import_session(x.who, std::move(how), lines);
    if (!made)
        co_return x.problem(made.error());
    response answer{201, proto::api::to_json(*made)};
    answer.fields.emplace_back("Location", "/v1/sessions/" + made->id.str());
    co_return answer;
}

} // namespace agentd::api
