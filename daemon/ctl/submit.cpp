// Handing in tasks: submit, run.
#include "base/ids.hpp"
#include "ctl/commands.hpp"
#include "ctl/format.hpp"
#include "proto/api/json.hpp"
#include "proto/json/writer.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

namespace agentd::ctl {
namespace {

base::result<std::string> own_directory()
{
    std::error_code failure;
    auto path = std::filesystem::current_path(failure);
    if (failure)
        return std::unexpected(base::error{errc::usage,
            "cannot tell the current directory (use --workdir or --fresh): " + failure.message()});
    return path.string();
}

// True if `path` is `root` or lies below it, by its words alone.
bool is_below(const std::string& path, const std::string& root)
{
    const auto trimmed = root.ends_with('/') ? root.substr(0, root.size() - 1) : root;
    return path == trimmed || path.starts_with(trimmed + "/");
}

// Whether the daemon would take `path` as a workspace: in shared mode only below a root.
aio::awaitable<base::result<bool>> may_work_in(client& daemon, std::string path)
{
    http_request ask;
    ask.target = "/v1/info";
    auto info = co_await daemon.ask(std::move(ask));
    if (!info)
        co_return std::unexpected(std::move(info).error());
    const auto* shared = info->root().find("shared");
    if (shared == nullptr || !shared->as_boolean().value_or(false))
        co_return true;
    const auto* roots = info->root().find("workspace_roots");
    if (roots == nullptr)
        co_return false;
    for (const auto& root : roots->items())
        if (root.as_string() != nullptr && is_below(path, *root.as_string()))
            co_return true;
    co_return false;
}

// Fills in the workdir: what was asked for made absolute, else the current directory.
done settle_workdir(client& daemon, task_fields& task)
{
    if (task.session || task.fresh)
        co_return base::result<>{};
    if (task.workdir && task.workdir->starts_with('/'))
        co_return base::result<>{};
    auto here = own_directory();
    if (!here)
        co_return std::unexpected(std::move(here).error());
    if (task.workdir) {
        task.workdir = (std::filesystem::path{*here} / *task.workdir).lexically_normal().string();
        co_return base::result<>{};
    }
    const auto may = co_await may_work_in(daemon, *here);
    if (!may)
        co_return std::unexpected(may.error());
    if (*may)
        task.workdir = *here;
    co_return base::result<>{};
}

void write_map(proto::json::object_writer& body, std::string_view name,
    const std::vector<std::pair<std::string, std::string>>& pairs)
{
    if (pairs.empty())
        return;
    std::map<std::string, std::string> unique; // the last one of a name counts
    for (const auto& [key, value] : pairs)
        unique[key] = value;
    auto object = body.object(name);
    for (const auto& [key, value] : unique)
        object.member(key, value);
}

std::string body_of(const task_fields& task)
{
    std::string text;
    {
        proto::json::object_writer body{text};
        body.member("prompt", task.prompt)
            .member_if("session_id", task.session)
            .member_if("workdir", task.workdir)
            .member_if("system", task.system)
            .member_if("model", task.model);
        write_map(body, "env", task.env);
        body.member_if("max_turns", task.max_turns)
            .member_if("timeout_s", task.timeout_s)
            .member_if("budget_usd", task.budget_usd)
            .member_if("max_tokens_total", task.max_tokens_total)
            .member_if("jobs_at_end", task.jobs_at_end)
            .member_if("priority", task.priority);
        write_map(body, "labels", task.labels);
    }
    return text;
}

// Hands the task in; the daemon's answer. With a key it may be sent again when the connection
// breaks, and is still one task.
aio::awaitable<base::result<proto::json::document>> hand_in(context& with, task_fields task)
{
    auto settled = co_await settle_workdir(with.daemon, task);
    if (!settled)
        co_return std::unexpected(std::move(settled).error());
    constexpr std::size_t key_digits = 32;
    http_request call;
    call.method = "POST";
    call.target = "/v1/tasks";
    call.body = body_of(task);
    call.idempotency_key = task.idempotency_key.value_or(base::random_hex(key_digits));
    co_return co_await with.daemon.ask(std::move(call));
}

std::string id_of(const proto::json::document& task)
{
    const auto* id = task.root().find_string("id");
    return id == nullptr ? std::string{} : *id;
}

} // namespace

done execute(context& with, submit_verb what)
{
    auto task = co_await hand_in(with, std::move(what.task));
    if (!task)
        co_return std::unexpected(std::move(task).error());
    if (with.json)
        with.term.raw(std::string{task->root().raw()} + "\n");
    else
        with.term.line(id_of(*task));
    co_return base::result<>{};
}

done execute(context& with, run_verb what)
{
    auto task = co_await hand_in(with, std::move(what.task));
    if (!task)
        co_return std::unexpected(std::move(task).error());
    const std::string id = id_of(*task);
    with.farewell = fmt::format("task {} goes on; agentctl follow {} shows it", id, id);
    console& term = with.term;
    const bool quiet = what.quiet;
    show_event show = [&term, quiet](const std::string&, const proto::json::value& event) {
        const auto* type = event.find_string("type");
        if (!quiet && type != nullptr && *type != "model.delta")
            term.progress(event_text(event));
    };
    std::optional<std::string> from_the_start;
    auto ended = co_await watch(with, id, std::move(from_the_start), std::move(show));
    with.farewell.clear();
    if (!ended)
        co_return std::unexpected(std::move(ended).error());
    if (with.json)
        term.raw(proto::api::to_json(*ended) + "\n");
    else if (ended->result)
        term.text(*ended->result + "\n");
    co_return outcome_of(*ended);
}

} // namespace agentd::ctl
