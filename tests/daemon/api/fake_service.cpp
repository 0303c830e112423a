#include "proto/api/export.hpp"
#include "proto/api/json.hpp"
#include "tests/daemon/api/fakes.hpp"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <stdexcept>

namespace agentd::session {

// The session layer is not linked into these tests.
std::string_view error_text(errc)
{
    return "a session error";
}

} // namespace agentd::session

namespace agentd::testing {
namespace {

constexpr base::wall_time noon{std::chrono::milliseconds{1'795'000'000'123}};

proto::api::task sample_task(const std::string& id, bool ended)
{
    proto::api::task t;
    t.id = base::task_id{id};
    t.session_id = base::session_id{"s_abcdefghij"};
    t.state = ended ? proto::api::task_state::succeeded : proto::api::task_state::running;
    t.prompt = "p";
    if (ended)
        t.result = "done";
    t.model = "m";
    t.created_at = noon;
    return t;
}

proto::api::session sample_session(const std::string& id)
{
    proto::api::session s;
    s.id = base::session_id{id};
    s.model = "m";
    s.workdir = "/w";
    s.created_at = s.updated_at = noon;
    return s;
}

proto::api::job sample_job(const std::string& id, bool ended)
{
    proto::api::job j;
    j.id = base::job_id{id};
    j.session_id = base::session_id{"s_abcdefghij"};
    j.task_id = base::task_id{"t_abcdefghij"};
    j.command = "make";
    j.state = ended ? proto::api::job_state::completed : proto::api::job_state::running;
    j.queued_at = noon;
    return j;
}

proto::api::message sample_message(std::int64_t seq)
{
    proto::api::message m;
    m.seq = seq;
    m.role = seq % 2 == 1 ? "user" : "assistant";
    m.content = R"([{"type":"text","text":"x"}])";
    m.task_id = base::task_id{"t_abcdefghij"};
    m.created_at = noon;
    return m;
}

} // namespace

void fake_service::fail_with(std::optional<base::error> why)
{
    const std::lock_guard lock{guard};
    failure_ = std::move(why);
}

base::result<> fake_service::check(const std::string& id)
{
    const std::lock_guard lock{guard};
    if (failure_)
        return std::unexpected(*failure_);
    if (id.find("none") != std::string::npos || id == "00000000")
        return std::unexpected(base::error{session::errc::not_found, "there is no " + id});
    return {};
}

aio::awaitable<base::result<session::submitted>> fake_service::submit(
    caller who, proto::api::submit_request what, std::optional<session::idempotency_key> key)
{
    if (auto ok = check({}); !ok)
        co_return std::unexpected(ok.error());
    const std::lock_guard lock{guard};
    last_caller = who;
    last_submit = std::move(what);
    last_key = std::move(key);
    auto task = sample_task("t_abcdefghij", false);
    task.state = proto::api::task_state::queued;
    co_return session::submitted{proto::api::to_json(task), task.id};
}

aio::awaitable<base::result<proto::api::task>> fake_service::task(caller, std::string id)
{
    if (auto ok = check(id); !ok)
        co_return std::unexpected(ok.error());
    co_return sample_task(id, task_ended);
}

aio::awaitable<base::result<proto::api::task>> fake_service::wait(
    caller, std::string id, std::chrono::milliseconds limit)
{
    if (auto ok = check(id); !ok)
        co_return std::unexpected(ok.error());
    {
        const std::lock_guard lock{guard};
        last_wait = limit;
    }
    try {
        if (!task_ended)
            co_await aio::sleep_for(limit);
    } catch (const boost::system::system_error&) {
        ++waits_given_up;
        throw;
    }
    co_return sample_task(id, task_ended);
}

aio::awaitable<base::result<session::page<proto::api::task>>> fake_service::tasks(
    caller, session::task_filter which)
{
    if (auto ok = check(which.session_id); !ok)
        co_return std::unexpected(ok.error());
    const std::lock_guard lock{guard};
    last_tasks = std::move(which);
    session::page<proto::api::task> page;
    page.items.push_back(sample_task("t_abcdefghij", true));
    page.next = "t_abcdefghij";
    page.seq = 7;
    co_return page;
}

aio::awaitable<base::result<session::service::cancelled>> fake_service::cancel(
    caller, std::string id)
{
    if (auto ok = check(id); !ok)
        co_return std::unexpected(ok.error());
    cancelled done;
    done.task = sample_task(id, task_ended);
    done.already_ended = task_ended;
    co_return done;
}

aio::awaitable<base::result<session::submitted>> fake_service::add_message(
    caller, std::string id, std::string text, std::optional<session::idempotency_key> key)
{
    if (auto ok = check(id); !ok)
        co_return std::unexpected(ok.error());
    const std::lock_guard lock{guard};
    last_text = std::move(text);
    last_key = std::move(key);
    const auto task = sample_task(id, false);
    co_return session::submitted{proto::api::to_json(task), task.id};
}

aio::awaitable<base::result<proto::api::session>> fake_service::session(caller, std::string id)
{
    if (auto ok = check(id); !ok)
        co_return std::unexpected(ok.error());
    co_return sample_session(id);
}

aio::awaitable<base::result<session::page<proto::api::session>>> fake_service::sessions(
    caller, std::size_t, std::string)
{
    if (auto ok = check({}); !ok)
        co_return std::unexpected(ok.error());
    session::page<proto::api::session> page;
    page.items.push_back(sample_session("s_abcdefghij"));
    co_return page;
}

aio::awaitable<base::result<session::page<proto::api::message>>> fake_service::messages(
    caller, std::string session_id, std::int64_t after_seq, std::size_t limit)
{
    if (auto ok = check(session_id); !ok)
        co_return std::unexpected(ok.error());
    if (messages_throw)
        throw std::runtime_error{"messages fail"};
    constexpr std::int64_t all = 450; // more than two pages
    session::page<proto::api::message> page;
    for (std::int64_t seq = after_seq + 1; seq <= all && page.items.size() < limit; ++seq)
        page.items.push_back(sample_message(seq));
    if (!page.items.empty() && page.items.back().seq < all)
        page.next = std::to_string(page.items.back().seq);
    co_return page;
}

aio::awaitable<base::result<session::export_piece>> fake_service::export_session(
    caller, std::string id, session::export_cursor from)
{
    if (auto ok = check(id); !ok)
        co_return std::unexpected(ok.error());
    constexpr std::int64_t all = 450; // many pieces
    constexpr std::int64_t each = 100;
    session::export_piece piece;
    piece.next = {true, 1, all, std::min(all, from.begun ? from.after + each : 0)};
    if (!from.begun) {
        piece.lines = export_line(proto::api::export_head{sample_session(id), 0});
        co_return piece;
    }
    if (messages_throw)
        throw std::runtime_error{"messages fail"};
    if (from.after == 0)
        piece.lines = export_line(proto::api::export_epoch{1, "m", "[]", "[]", 0});
    for (auto seq = from.after + 1; seq <= piece.next.after; ++seq)
        piece.lines += export_line(proto::api::export_message{sample_message(seq), true, {}});
    piece.last = piece.next.after == all;
    if (piece.last)
        piece.lines += export_line(proto::api::export_end{1, all});
    co_return piece;
}

aio::awaitable<base::result<proto::api::session>> fake_service::import_session(
    caller, session::import_options how, session::piece_source& from)
{
    last_import = std::move(how);
    imported_bytes = largest_piece = 0;
    if (auto ok = check({}); !ok)
        co_return std::unexpected(ok.error());
    for (;;) {
        auto piece = co_await from.next();
        if (!piece)
            co_return std::unexpected(std::move(piece.error()));
        if (piece->empty())
            co_return sample_session("s_abcdefghij");
        imported_bytes += piece->size();
        largest_piece = std::max(largest_piece, piece->size());
    }
}

aio::awaitable<base::result<void>> fake_service::remove_session(caller, std::string id)
{
    co_return check(id);
}

aio::awaitable<base::result<proto::api::job>> fake_service::job(caller, std::string id)
{
    if (auto ok = check(id); !ok)
        co_return std::unexpected(ok.error());
    co_return sample_job(id, job_ended);
}

aio::awaitable<base::result<session::page<proto::api::job>>> fake_service::jobs(
    caller, session::job_filter which)
{
    if (auto ok = check(which.task_id); !ok)
        co_return std::unexpected(ok.error());
    const std::lock_guard lock{guard};
    last_jobs = std::move(which);
    session::page<proto::api::job> page;
    page.items.push_back(sample_job("1f3a9c02", true));
    co_return page;
}

session::output_piece fake_service::piece_at(std::uint64_t offset, std::size_t limit)
{
    const std::lock_guard lock{guard};
    session::output_piece piece;
    if (offset >= gap.start && offset < gap.end) {
        piece.gap = proto::api::byte_gap{offset, gap.end};
        offset = gap.end;
    }
    const std::uint64_t end = offset < gap.start ? gap.start : output.size();
    if (offset < end)
        piece.bytes = output.substr(offset, std::min<std::uint64_t>(limit, end - offset));
    piece.next_offset = offset + piece.bytes.size();
    piece.ended = job_ended && piece.next_offset >= output.size();
    return piece;
}

aio::awaitable<base::result<session::output_piece>> fake_service::job_output(
    caller, std::string id, session::output_range which)
{
    if (auto ok = check(id); !ok)
        co_return std::unexpected(ok.error());
    for (;;) {
        auto piece = piece_at(which.offset, which.limit);
        if (which.times)
            piece.times = times;
        if (!which.follow || !piece.bytes.empty() || piece.ended)
            co_return piece;
        co_await aio::sleep_for(std::chrono::milliseconds{1});
    }
}

aio::awaitable<base::result<std::uint64_t>> fake_service::tail_offset(
    caller, std::string id, std::size_t lines)
{
    if (auto ok = check(id); !ok)
        co_return std::unexpected(ok.error());
    const std::lock_guard lock{guard};
    std::size_t at = output.size();
    for (; at > 0; --at) {
        if (output[at - 1] == '\n' && at != output.size() && lines-- == 1)
            break;
    }
    co_return at;
}

aio::awaitable<base::result<proto::api::job>> fake_service::kill_job(caller, std::string id)
{
    if (auto ok = check(id); !ok)
        co_return std::unexpected(ok.error());
    co_return sample_job(id, true);
}

aio::awaitable<base::result<proto::api::input_written>> fake_service::write_input(
    caller who, std::string id, std::string text, bool eof)
{
    if (auto ok = check(id); !ok)
        co_return std::unexpected(ok.error());
    const std::lock_guard lock{guard};
    last_caller = who;
    proto::api::input_written written;
    written.job_id = base::job_id{id};
    written.bytes = text.size();
    written.closed = eof;
    last_text = std::move(text);
    last_eof = eof;
    co_return written;
}

aio::awaitable<base::result<store::events::filter>> fake_service::event_filter(
    caller, std::string task_id, std::string session_id, std::vector<std::string> types)
{
    if (auto ok = check(task_id); !ok)
        co_return std::unexpected(ok.error());
    store::events::filter which;
    if (!task_id.empty())
        which.task_id = base::task_id{task_id};
    if (!session_id.empty())
        which.session_id = base::session_id{session_id};
    which.types = std::move(types);
    co_return which;
}

aio::awaitable<base::result<session::counts>> fake_service::count()
{
    if (auto ok = check({}); !ok)
        co_return std::unexpected(ok.error());
    session::counts now;
    now.sessions = 3;
    now.newest_seq = 7;
    co_return now;
}

api::daemon_info fake_status::info() const
{
    api::daemon_info info;
    info.version = "0.1.0";
    info.boot_id = "b";
    info.pid = 7;
    info.started_at = noon;
    info.model = "m";
    info.supervision.means = "subreaper";
    info.supervision.watcher = true;
    info.limits = {{"running_tasks", 1000}};
    return info;
}

} // namespace agentd::testing
