// Sessions: sessions, transcript, rm.
#include "base/text.hpp"
#include "ctl/commands.hpp"
#include "ctl/format.hpp"
#include "proto/api/json.hpp"
#include "proto/json/writer.hpp"

#include <fmt/format.h>

namespace agentd::ctl {
namespace {

using proto::json::value;

base::error no_such(std::string_view what, const base::error& why)
{
    return {errc::daemon_error, fmt::format("the daemon's answer is no {}: {}", what, why.text)};
}

std::vector<std::string> row_of(const proto::api::session& s)
{
    return {s.id.str(), std::string{to_string(s.state)}, fmt::format("{}", s.messages),
        short_cost(s.cost_usd), short_age(s.updated_at, base::wall_now()), s.model, s.workdir};
}

// The text of a tool_result's content: a string, or blocks.
std::string content_text(const value& content)
{
    if (content.as_string() != nullptr)
        return *content.as_string();
    std::string out;
    for (const auto& block : content.items()) {
        const auto* text = block.find_string("text");
        out += (out.empty() ? "" : "\n") + (text != nullptr ? *text : std::string{block.raw()});
    }
    return out;
}

void print_block(console& term, const value& block)
{
    const auto* type = block.find_string("type");
    const auto* text = block.find_string("text");
    const std::string kind = type == nullptr ? std::string{} : *type;
    if (kind == "text" && text != nullptr) {
        term.line(*text);
    } else if (kind == "tool_use") {
        const auto* name = block.find_string("name");
        const auto* input = block.find("input");
        term.styled(term.paint(colour::warn,
            fmt::format("> {} {}", name == nullptr ? "?" : *name,
                input == nullptr ? std::string{} : std::string{input->raw()})));
    } else if (kind == "tool_result") {
        const auto* content = block.find("content");
        const auto* failed = block.find("is_error");
        const bool bad = failed != nullptr && failed->as_boolean().value_or(false);
        term.styled(term.paint(bad ? colour::bad : colour::faint,
            "< " + (content == nullptr ? std::string{} : content_text(*content))));
    } else {
        term.styled(term.paint(colour::faint, fmt::format("[{}]", kind)));
    }
}

void print_message(console& term, const value& message)
{
    const auto* role = message.find_string("role");
    const auto* seq = message.find("seq");
    const auto* content = message.find("content");
    term.styled(term.paint(colour::good,
        fmt::format(
            "#{} {}", seq == nullptr ? "?" : plain_text(*seq), role == nullptr ? "?" : *role)));
    if (content != nullptr && content->as_string() != nullptr)
        term.line(*content->as_string());
    else if (content != nullptr)
        for (const auto& block : content->items())
            print_block(term, block);
    term.raw("\n");
}

} // namespace

done execute(context& with, sessions_verb what)
{
    std::vector<std::vector<std::string>> rows;
    console& term = with.term;
    const bool json = with.json;
    std::function<base::result<>(const value&)> take = [&term, &rows, json](
                                                           const value& item) -> base::result<> {
        if (json) {
            term.raw(std::string{item.raw()} + "\n");
            return {};
        }
        const auto one = proto::api::session_from(item);
        if (!one)
            return std::unexpected(no_such("session", one.error()));
        rows.push_back(row_of(*one));
        return {};
    };
    std::string path{"/v1/sessions"};
    query none;
    auto listed = co_await each_item(
        with.daemon, std::move(path), std::move(none), what.limit, std::move(take));
    if (listed && !json)
        term.table({"ID", "STATE", "MESSAGES", "COST", "AGE", "MODEL", "WORKDIR"}, rows);
    co_return listed;
}

done execute(context& with, transcript_verb what)
{
    console& term = with.term;
    const bool json = with.json;
    std::function<base::result<>(const value&)> take = [&term, json](
                                                           const value& item) -> base::result<> {
        if (json)
            term.raw(std::string{item.raw()} + "\n");
        else
            print_message(term, item);
        return {};
    };
    std::string path = "/v1/sessions/" + url_escape(what.session) + "/messages";
    query none;
    co_return co_await each_item(
        with.daemon, std::move(path), std::move(none), what.limit, std::move(take));
}

done execute(context& with, rm_verb what)
{
    for (const auto& id : what.sessions) {
        http_request call;
        call.method = "DELETE";
        call.target = "/v1/sessions/" + url_escape(id);
        const auto answer = co_await with.daemon.call(std::move(call));
        if (!answer)
            co_return std::unexpected(answer.error());
        if (!with.json) {
            with.term.say(id + " deleted");
            continue;
        }
        std::string line;
        {
            proto::json::object_writer object{line};
            object.member("id", id);
        }
        with.term.raw(line + "\n");
    }
    co_return base::result<>{};
}

} // namespace agentd::ctl
