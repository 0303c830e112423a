// Background jobs: jobs, output, kill.
#include "base/limits.hpp"
#include "base/text.hpp"
#include "ctl/commands.hpp"
#include "ctl/format.hpp"
#include "ctl/stamped_lines.hpp"
#include "proto/api/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace agentd::ctl {
namespace {

using proto::api::job;

// "exit 1", "signal SEGV", "signal KILL by memory, out of memory"; "-": nothing is known.
std::string end_of(const job& j)
{
    std::string text;
    const auto add = [&text](std::string_view between, const std::string& more) {
        text += text.empty() ? more : std::string{between} + more;
    };
    const char* const name = j.signal ? ::sigabbrev_np(*j.signal) : nullptr;
    if (j.exit_code)
        add("", fmt::format("exit {}", *j.exit_code));
    else if (j.signal)
        add("",
            name != nullptr ? fmt::format("signal {}", name) : fmt::format("signal {}", *j.signal));
    if (!j.by.empty())
        add(" ", "by " + j.by);
    if (j.oom)
        add(", ", "out of memory");
    return text.empty() ? "-" : text;
}

std::vector<std::string> row_of(const job& j)
{
    std::string took = "-";
    if (j.wall_ms)
        took = short_duration(*j.wall_ms);
    else if (j.started_at)
        took = short_duration((base::wall_now() - *j.started_at).count());
    const auto bytes =
        static_cast<std::uint64_t>(std::max<std::int64_t>(j.peak_bytes.value_or(0), 0));
    return {j.id.str(), std::string{to_string(j.state)}, j.task_id.str(), took,
        j.cpu_ms ? short_duration(*j.cpu_ms) : "-", j.peak_bytes ? short_bytes(bytes) : "-",
        end_of(j), short_bytes(j.output_bytes), base::one_line(j.command, limits::command_chars)};
}

std::optional<std::uint64_t> number(std::string_view text)
{
    std::uint64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failure == std::errc{} && end == text.data() + text.size() ? std::optional{value}
                                                                      : std::nullopt;
}

// Where reading stands in a job's output, from request to request.
struct position {
    std::optional<std::uint64_t> offset; // nullopt: the daemon is to find it (tail_lines)
    std::optional<std::uint64_t> left;   // bytes still wanted; nullopt: all
};

http_request request_for(const output_verb& what, const position& at)
{
    query q;
    if (at.offset)
        q.add("offset", fmt::format("{}", *at.offset));
    else if (what.tail_lines)
        q.add("tail_lines", fmt::format("{}", *what.tail_lines));
    if (at.left)
        q.add("limit", fmt::format("{}", *at.left));
    if (what.timestamps)
        q.add("timestamps", "1");
    if (what.follow && at.offset) // the tail is read first, then followed from its end
        q.add("follow", "1");
    http_request ask;
    ask.target = "/v1/jobs/" + url_escape(what.job) + "/output" + q.text();
    return ask;
}

// Moves to where the answer begins, saying what was left out before it: whether anything was.
bool enter(context& with, position& at, const http_head& head)
{
    const auto gap = head.field("x-gap");
    const auto dash = gap.find('-');
    if (dash == std::string::npos)
        return false;
    const auto start = number(std::string_view{gap}.substr(0, dash));
    const auto end = number(std::string_view{gap}.substr(dash + 1));
    if (!start || !end || *end <= *start)
        return false;
    with.term.say(fmt::format("[{} bytes left out]", *end - *start));
    at.offset = end;
    return true;
}

// How the bytes of all answers are printed.
struct printing {
    bool raw = false;
    bool timestamps = false;
    harmless_stream filter;
    stamped_lines stamped;
};

// How one answer went.
struct printed {
    std::uint64_t bytes = 0;
    bool lost = false; // the connection broke before its end
};

// Prints one answer.
aio::awaitable<base::result<printed>> print_answer(context& with, stream from, printing& how)
{
    printed got;
    const time_limit for_ever{0}; // a job may be silent as long as it likes
    for (;;) {
        auto piece = co_await from.connection->read_some(for_ever);
        if (!piece && !piece.error().is(errc::lost))
            co_return std::unexpected(std::move(piece).error());
        got.lost = !piece;
        if (!piece || piece->empty())
            co_return got;
        if (how.timestamps)
            piece = how.stamped.feed(*piece);
        got.bytes = how.timestamps ? how.stamped.own_bytes() : got.bytes + piece->size();
        with.term.raw(how.raw ? *piece : how.filter.feed(*piece));
        (void)with.term.flush();
    }
}

// Moves behind what was printed. False: nothing to go on from.
bool advance(position& at, const http_head& head, printed got)
{
    if (!at.offset) { // the daemon has found the place
        at.offset = number(head.field("x-offset"));
        if (!at.offset)
            return false;
    }
    at.offset = *at.offset + got.bytes;
    if (at.left)
        at.left = *at.left - std::min(*at.left, got.bytes);
    return true;
}

} // namespace

done execute(context& with, jobs_verb what)
{
    query q;
    if (what.session)
        q.add("session_id", *what.session);
    if (what.task)
        q.add("task_id", *what.task);
    std::string states;
    for (const auto& state : what.states)
        states += (states.empty() ? "" : ",") + state;
    if (!states.empty())
        q.add("state", states);
    std::vector<std::vector<std::string>> rows;
    console& term = with.term;
    const bool json = with.json;
    std::function<base::result<>(const proto::json::value&)> take =
        [&term, &rows, json](const proto::json::value& item) -> base::result<> {
        if (json) {
            term.raw(std::string{item.raw()} + "\n");
            return {};
        }
        const auto one = proto::api::job_from(item);
        if (!one)
            return std::unexpected(base::error{
                errc::daemon_error, "the daemon's answer is no job: " + one.error().text});
        rows.push_back(row_of(*one));
        return {};
    };
    std::string path{"/v1/jobs"};
    auto listed =
        co_await each_item(with.daemon, std::move(path), std::move(q), what.limit, std::move(take));
    if (listed && !json)
        term.table(
            {"ID", "STATE", "TASK", "TIME", "CPU", "MEMORY", "END", "OUTPUT", "COMMAND"}, rows);
    co_return listed;
}

// Asks again and again until an answer is empty: the daemon ends one at a gap and bounds it. One
// that was cut off says nothing about the end.
done execute(context& with, output_verb what)
{
    position at;
    if (!what.tail_lines)
        at.offset = static_cast<std::uint64_t>(what.offset.value_or(0));
    if (what.limit)
        at.left = static_cast<std::uint64_t>(*what.limit);
    printing how{.raw = what.raw, .timestamps = what.timestamps, .filter = {}, .stamped = {}};
    std::size_t barren = 0;
    while (!at.left || *at.left != 0) {
        auto ask = request_for(what, at);
        auto opened = co_await with.daemon.open(std::move(ask));
        if (!opened)
            co_return std::unexpected(std::move(opened).error());
        const auto before = at.offset;
        const auto head = opened->head;
        const bool gap = enter(with, at, head);
        if (what.timestamps)
            with.term.raw(how.stamped.begin(gap));
        const auto got = co_await print_answer(with, std::move(*opened), how);
        if (!got)
            co_return std::unexpected(got.error());
        if (!advance(at, head, *got))
            break;
        if (!got->lost && got->bytes == 0 && at.offset == before)
            break;
        if (gap && got->bytes == 0) // the disk keeps nothing just now: the gap grows
            co_await aio::sleep_for(limits::client_reconnect_pause);
        barren = got->lost && got->bytes == 0 ? barren + 1 : 0;
        if (barren > limits::client_barren_streams)
            co_return std::unexpected(
                base::error{errc::unreachable, "the daemon breaks its answers off at once"});
        if (barren != 0)
            co_await aio::sleep_for(limits::client_reconnect_pause);
    }
    if (!what.raw)
        with.term.raw(how.filter.finish());
    co_return base::result<>{};
}

done execute(context& with, kill_verb what)
{
    for (const auto& id : what.jobs) {
        http_request call;
        call.method = "POST";
        call.target = "/v1/jobs/" + url_escape(id) + "/kill";
        auto answer = co_await with.daemon.ask(std::move(call));
        if (!answer)
            co_return std::unexpected(std::move(answer).error());
        const auto now = proto::api::job_from(answer->root());
        if (!now)
            co_return std::unexpected(base::error{
                errc::daemon_error, "the daemon's answer is no job: " + now.error().text});
        if (with.json)
            with.term.raw(std::string{answer->root().raw()} + "\n");
        else
            with.term.say(fmt::format("{}: {}", now->id.str(), to_string(now->state)));
    }
    co_return base::result<>{};
}

namespace {

// Why an input was not taken whole, by the daemon's word for it.
std::string_view input_refusal(std::string_view why)
{
    constexpr std::pair<std::string_view, std::string_view> texts[] = {
        {"timed_out", "the job did not read more in time"},
        {"not_started", "the job has not been started yet"},
        {"closed", "its input is closed already"},
        {"unread", "the job has closed its stdin"},
        {"ended", "the job has ended"},
    };
    const auto found = std::ranges::find(texts, why, [](const auto& one) { return one.first; });
    return found == std::end(texts) ? why : found->second;
}

} // namespace

done execute(context& with, input_verb what)
{
    const auto size = what.text.size();
    http_request call;
    call.method = "POST";
    call.target = "/v1/jobs/" + url_escape(what.job) + "/input" + (what.eof ? "?eof=1" : "");
    call.body = std::move(what.text);
    call.content_type = "application/octet-stream";
    call.once = true;
    auto answer = co_await with.daemon.ask(std::move(call));
    if (!answer)
        co_return std::unexpected(std::move(answer).error());
    const auto written = proto::api::input_written_from(answer->root());
    if (!written)
        co_return std::unexpected(base::error{
            errc::daemon_error, "the daemon's answer cannot be read: " + written.error().text});
    if (with.json)
        with.term.raw(std::string{answer->root().raw()} + "\n");
    if (written->complete)
        co_return base::result<>{};
    const bool later = written->why == "timed_out" || written->why == "not_started";
    co_return std::unexpected(base::error{later ? errc::refused : errc::denied,
        fmt::format(
            "the job took {} of {} bytes: {}", written->bytes, size, input_refusal(written->why))});
}

} // namespace agentd::ctl
