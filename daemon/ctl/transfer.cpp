// Sessions out and in as JSON Lines: export, import.
#include "base/limits.hpp"
#include "ctl/commands.hpp"

#include <algorithm>

namespace agentd::ctl {
namespace {

// An export's last line says that it is the last; its beginning, and more than all of it.
constexpr std::string_view last_record = "\n{\"record\":\"end\",";
constexpr std::size_t last_bytes = 200;

} // namespace

done execute(context& with, export_verb what)
{
    http_request ask;
    ask.target = "/v1/sessions/" + url_escape(what.session) + "/export";
    auto lines = co_await with.daemon.open(std::move(ask));
    if (!lines)
        co_return std::unexpected(std::move(lines).error());
    std::string tail;
    for (;;) {
        auto piece = co_await lines->connection->read_some(limits::client_reply_deadline);
        if (!piece)
            co_return std::unexpected(std::move(piece).error());
        if (piece->empty())
            break;
        with.term.raw(*piece);
        tail += *piece;
        tail.erase(0, tail.size() - std::min(tail.size(), last_bytes));
    }
    if (tail.rfind(last_record) == std::string::npos)
        co_return std::unexpected(base::error{errc::daemon_error, "the export was cut off"});
    co_return base::result<>{};
}

done execute(context& with, import_verb what)
{
    http_request call;
    call.method = "POST";
    query where;
    if (what.workdir)
        where.add("workdir", *what.workdir);
    if (what.fresh)
        where.add("fresh", "1");
    call.target = "/v1/sessions/import" + where.text();
    call.body = std::move(what.file);
    call.content_type = "application/x-ndjson";
    call.once = true; // a second one would be a session of its own
    const auto made = co_await with.daemon.ask(std::move(call));
    if (!made)
        co_return std::unexpected(made.error());
    const auto* id = made->root().find_string("id");
    if (with.json)
        with.term.raw(std::string{made->root().raw()} + "\n");
    else
        with.term.line(id == nullptr ? "" : *id);
    co_return base::result<>{};
}

} // namespace agentd::ctl
