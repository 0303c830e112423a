#include "proto/api/export.hpp"

#include "base/import_limits.hpp"
#include "proto/api/json.hpp"
#include "proto/api/parse.hpp"
#include "proto/json/reader.hpp"
#include "proto/json/writer.hpp"

#include <cmath>
#include <limits>

namespace agentd::proto::api {
namespace {

using json::object;
using json::object_writer;

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();

// JSON on one line: outside of strings, where they are escaped, line ends are mere space.
std::string on_one_line(std::string_view raw)
{
    std::string line{raw};
    for (char& c : line)
        c = c == '\n' || c == '\r' ? ' ' : c;
    return line;
}

// Reads fields of one object; after the first wrong one nothing counts.
class record_fields {
public:
    explicit record_fields(object from) : from_(std::move(from)) {}

    void only(std::initializer_list<std::string_view> names) { keep(from_.allow_only(names)); }
    std::string text(std::string_view name) { return take(from_.string(name)); }
    std::int64_t number(std::string_view name, std::int64_t least, std::int64_t highest = most)
    {
        return take(from_.integer(name, least, highest));
    }
    bool truth(std::string_view name) { return take(from_.boolean(name)); }
    // The bytes of an array.
    std::string array(std::string_view name)
    {
        const auto* found = from_.find(name);
        if (found == nullptr || !found->is(json::kind::array)) {
            complain(name, "must be an array");
            return "[]";
        }
        return std::string{found->raw()};
    }
    void complain(std::string_view name, std::string_view reason)
    {
        if (!wrong_)
            wrong_ = translated(from_.refuse(name, reason));
    }
    [[nodiscard]] const object& whole() const { return from_; }
    [[nodiscard]] std::optional<base::error>& wrong() { return wrong_; }

    template <class T>
    base::result<export_record> give(T&& what)
    {
        if (wrong_)
            return std::unexpected(std::move(*wrong_));
        return export_record{std::forward<T>(what)};
    }

private:
    void keep(const base::result<>& outcome)
    {
        if (!outcome && !wrong_)
            wrong_ = translated(outcome.error());
    }
    template <class T>
    T take(base::result<T> found)
    {
        if (found)
            return std::move(*found);
        if (!wrong_)
            wrong_ = translated(std::move(found.error()));
        return T{};
    }

    object from_;
    std::optional<base::error> wrong_;
};

bool is_whole_session_id(std::string_view id)
{
    constexpr std::size_t chars = 12; // "s_" and ten
    return id.size() == chars && id.starts_with("s_") &&
        id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567", 2) == std::string_view::npos;
}

bool is_task_id(std::string_view id)
{
    return id.empty() ||
        (id.starts_with("t_") && is_whole_session_id("s_" + std::string{id.substr(2)}));
}

bool is_count(std::int64_t number)
{
    return number >= 0;
}

base::result<export_record> read_head(record_fields record)
{
    record.only({"record", "version", "session", "context_tokens"});
    export_head head;
    if (const auto version = record.number("version", 1); version != export_version)
        record.complain("version", "is none that this agentd can read");
    head.context_tokens = record.number("context_tokens", 0);
    const auto inner = record.whole().child("session");
    if (!inner && !record.wrong())
        return std::unexpected(translated(inner.error()));
    if (record.wrong())
        return record.give(std::move(head));
    record_fields in{*inner};
    in.only({"id", "state", "model", "workdir", "epoch", "messages", "usage", "cost_usd",
        "created_at", "updated_at"});
    auto read = session_from(inner->self());
    if (!read)
        return std::unexpected(translated(std::move(read.error())));
    head.session = std::move(*read);
    const auto& s = head.session;
    if (!is_whole_session_id(s.id.str()))
        in.complain("id", "must be a session's id");
    if (s.model.empty() || s.model.size() > limits::model_name_bytes)
        in.complain("model", "must be a model's name");
    if (!s.workdir.starts_with('/') || s.workdir.size() > limits::workdir_bytes)
        in.complain("workdir", "must be an absolute path");
    static_cast<void>(in.number("epoch", 1, limits::import_epochs));
    static_cast<void>(in.number("messages", 0, limits::import_messages));
    if (!is_count(s.usage.input) || !is_count(s.usage.output) || !is_count(s.usage.cache_read) ||
        !is_count(s.usage.cache_write))
        in.complain("usage", "must not be negative");
    if (!std::isfinite(s.cost_usd) || s.cost_usd < 0)
        in.complain("cost_usd", "must be a number of dollars");
    static_cast<void>(in.text("created_at"));
    static_cast<void>(in.text("updated_at"));
    return in.give(std::move(head));
}

base::result<export_record> read_epoch(const object& inner)
{
    record_fields in{inner};
    in.only({"number", "model", "system", "tools", "first_seq"});
    export_epoch epoch;
    epoch.number = in.number("number", 1, limits::import_epochs);
    epoch.model = in.text("model");
    epoch.system = in.array("system");
    epoch.tools = in.array("tools");
    epoch.first_seq = in.number("first_seq", 0, limits::import_messages);
    if (epoch.model.empty() || epoch.model.size() > limits::model_name_bytes)
        in.complain("model", "must be a model's name");
    return in.give(std::move(epoch));
}

base::result<export_record> read_message(record_fields record)
{
    record.only({"record", "message", "answered", "end_epoch"});
    export_message out;
    out.answered = record.truth("answered");
    if (const auto* ended = record.whole().find("end_epoch");
        ended != nullptr && !ended->is(json::kind::null))
        out.end_epoch = record.number("end_epoch", 1, limits::import_epochs);
    const auto inner = record.whole().child("message");
    if (!inner && !record.wrong())
        return std::unexpected(translated(inner.error()));
    if (record.wrong())
        return record.give(std::move(out));
    record_fields in{*inner};
    in.only({"seq", "role", "content", "epoch", "task_id", "created_at"});
    auto& m = out.message;
    m.seq = in.number("seq", 1, limits::import_messages);
    m.role = in.text("role");
    m.content = in.array("content");
    m.epoch = in.number("epoch", 1, limits::import_epochs);
    if (const auto* task = inner->find("task_id"); task != nullptr && !task->is(json::kind::null))
        m.task_id = base::task_id{in.text("task_id")};
    const auto time = base::from_rfc3339(in.text("created_at"));
    if (m.role != "user" && m.role != "assistant")
        in.complain("role", "must be user or assistant");
    if (!is_task_id(m.task_id.str()))
        in.complain("task_id", "must be a task's id");
    if (!time)
        in.complain("created_at", "must be a time");
    m.created_at = time.value_or(base::wall_time{});
    return in.give(std::move(out));
}

base::result<export_record> read_end(record_fields in)
{
    in.only({"record", "epochs", "messages"});
    export_end end;
    end.epochs = in.number("epochs", 1);
    end.messages = in.number("messages", 0);
    return in.give(std::move(end));
}

void write(object_writer& to, const export_head& what)
{
    to.member("record", "session").member("version", export_version);
    to.raw("session", to_json(what.session)).member("context_tokens", what.context_tokens);
}

void write(object_writer& to, const export_epoch& what)
{
    to.member("record", "epoch");
    auto inner = to.object("epoch");
    inner.member("number", what.number).member("model", what.model);
    inner.raw("system", what.system).raw("tools", what.tools);
    inner.member("first_seq", what.first_seq);
}

void write(object_writer& to, const export_message& what)
{
    to.member("record", "message").raw("message", to_json(what.message));
    to.member("answered", what.answered).member("end_epoch", what.end_epoch);
}

void write(object_writer& to, const export_end& what)
{
    to.member("record", "end").member("epochs", what.epochs).member("messages", what.messages);
}

} // namespace

std::string export_line(const export_record& what)
{
    std::string line;
    {
        object_writer to{line};
        std::visit([&to](const auto& record) { write(to, record); }, what);
    }
    return on_one_line(line) + "\n";
}

base::result<export_record> read_export_line(std::string_view line)
{
    auto read = json::parse_object(line, json::lone_surrogates::replace);
    if (!read)
        return std::unexpected(translated(std::move(read.error())));
    const auto kind = read->string("record");
    if (!kind)
        return std::unexpected(translated(kind.error()));
    if (*kind == "session")
        return read_head(record_fields{*read});
    if (*kind == "message")
        return read_message(record_fields{*read});
    if (*kind == "end")
        return read_end(record_fields{*read});
    if (*kind != "epoch")
        return std::unexpected(invalid("record", "must be session, epoch, message or end"));
    if (auto known = read->allow_only({"record", "epoch"}); !known)
        return std::unexpected(translated(std::move(known.error())));
    const auto inner = read->child("epoch");
    if (!inner)
        return std::unexpected(translated(inner.error()));
    return read_epoch(*inner);
}

} // namespace agentd::proto::api
