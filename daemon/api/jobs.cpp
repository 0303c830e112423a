// The calls about jobs; see handlers.hpp.
#include "api/form.hpp"
#include "api/handlers.hpp"
#include "api/line_times.hpp"
#include "base/stdin_limits.hpp"
#include "proto/api/json.hpp"
#include "proto/api/parse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace agentd::api {
namespace {

struct output_request {
    std::uint64_t offset = 0;
    std::size_t limit = limits::output_read_bytes;
    std::size_t tail_lines = 0;
    bool from_tail = false;
    bool limited = false;
    bool follow = false;
    bool timestamps = false;
};

output_request output_asked(parameters& in)
{
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    output_request what;
    what.limited = in.has("limit");
    what.offset = in.number("offset", 0, 0, most);
    what.limit = static_cast<std::size_t>(in.number("limit", limits::output_read_bytes, 1, most));
    what.from_tail = in.has("tail_lines");
    what.tail_lines = static_cast<std::size_t>(in.number("tail_lines", 0, 0, most));
    what.follow = in.flag("follow");
    what.timestamps = in.flag("timestamps");
    if (what.from_tail && in.has("offset"))
        in.complain("tail_lines", "goes not with offset");
    return what;
}

bool is_gap(const proto::api::byte_gap& gap)
{
    return gap.end > gap.start;
}

void say_gap(head_fields& fields, const proto::api::byte_gap& gap)
{
    if (is_gap(gap))
        fields.emplace_back("X-Gap", fmt::format("{}-{}", gap.start, gap.end));
}

// The bytes of a piece as the client gets them.
std::string body_of(session::output_piece& piece, const output_request& what, line_times& times)
{
    if (!what.timestamps)
        return std::move(piece.bytes);
    const auto start = piece.next_offset - piece.bytes.size();
    return times.put_before_lines(piece.bytes, start, piece.times);
}

// With times a piece may grow a lot, so that it is a small one.
session::output_range piece_of(const output_request& what, std::uint64_t offset, std::uint64_t most)
{
    const auto limit =
        what.timestamps ? std::min<std::uint64_t>(most, line_times::piece_bytes) : most;
    return {.offset = offset, .limit = static_cast<std::size_t>(limit), .times = what.timestamps};
}

// What is there now: pieces put together up to the limit, or up to bytes that were left out.
aio::awaitable<response> output_now(exchange& x, output_request what)
{
    const std::uint64_t limit = std::min(what.limit, limits::output_read_bytes);
    response answer{200, {}};
    answer.content_type = "application/octet-stream";
    line_times times;
    std::uint64_t start = what.offset, next = what.offset;
    // With times it is the answer that is bounded, too: lines may be short.
    for (bool first = true; next - start < limit && answer.body.size() < limit; first = false) {
        const auto range = piece_of(what, next, limit - (next - start));
        auto piece = co_await x.service().job_output(x.who, x.id, range);
        if (!piece)
            co_return x.problem(piece.error());
        if (first) {
            say_gap(answer.fields, piece->gap);
            start = piece->next_offset - piece->bytes.size();
        } else if (is_gap(piece->gap)) {
            break;
        }
        next = piece->next_offset;
        const bool last = piece->bytes.empty() || piece->ended;
        answer.body += body_of(*piece, what, times);
        if (last)
            break;
    }
    answer.fields.emplace_back("X-Offset", fmt::to_string(start));
    answer.fields.emplace_back("X-Next-Offset", fmt::to_string(next));
    co_return answer;
}

// The pieces as they come, until the job has ended, the limit is reached or bytes are missing.
aio::awaitable<base::result<>> send_output(
    exchange& x, body_stream& out, output_request what, std::uint64_t next)
{
    std::uint64_t left = what.limited ? what.limit : std::numeric_limits<std::uint64_t>::max();
    line_times times;
    while (left > 0) {
        const auto room = std::min<std::uint64_t>(left, limits::output_piece_bytes);
        auto range = piece_of(what, next, room);
        range.follow = true;
        auto reading = x.service().job_output(x.who, x.id, range);
        auto piece = co_await while_connected(x.client, std::move(reading));
        if (!piece)
            co_return std::unexpected(std::move(piece.error()));
        if (is_gap(piece->gap))
            break;
        next = piece->next_offset;
        left -= std::min<std::uint64_t>(left, piece->bytes.size());
        const bool last = piece->ended;
        auto written = co_await out.write(body_of(*piece, what, times));
        if (!written)
            co_return written;
        if (last)
            break;
    }
    co_return co_await out.end();
}

aio::awaitable<response> output_followed(exchange& x, output_request what)
{
    // Of this look only the gap is used: it belongs into the head.
    const session::output_range look{.offset = what.offset, .limit = 1};
    auto first = co_await x.service().job_output(x.who, x.id, look);
    if (!first)
        co_return x.problem(first.error());
    const auto from = is_gap(first->gap) ? first->gap.end : what.offset;
    auto fields = x.stream_fields();
    say_gap(fields, first->gap);
    fields.emplace_back("X-Offset", fmt::to_string(from));
    fields.emplace_back("X-Next-Offset", fmt::to_string(from));
    auto out = x.stream();
    const auto begun = co_await out.begin(200, "application/octet-stream", std::move(fields));
    if (!begun)
        co_return streamed(begun);
    const auto sent = co_await send_output(x, out, what, from);
    co_return streamed(sent);
}

} // namespace

aio::awaitable<response> list_jobs(exchange& x)
{
    parameters in{x.asked};
    session::job_filter which;
    which.session_id = id_in(in, "session_id");
    which.task_id = id_in(in, "task_id");
    which.states = states_in(in, proto::api::job_state_from);
    which.limit = list_limit(in);
    which.after = cursor_in(in, cursor_of::jobs);
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    auto page = co_await x.service().jobs(x.who, std::move(which));
    if (!page)
        co_return x.problem(page.error());
    co_return response{200, proto::api::page_json(page->items, page->next, page->seq)};
}

aio::awaitable<response> show_job(exchange& x)
{
    parameters in{x.asked};
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    auto job = co_await x.service().job(x.who, x.id);
    if (!job)
        co_return x.problem(job.error());
    co_return response{200, proto::api::to_json(*job)};
}

aio::awaitable<response> show_output(exchange& x)
{
    parameters in{x.asked};
    auto what = output_asked(in);
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    if (what.from_tail) {
        auto from = co_await x.service().tail_offset(x.who, x.id, what.tail_lines);
        if (!from)
            co_return x.problem(from.error());
        what.offset = *from;
    }
    if (what.follow)
        co_return co_await output_followed(x, what);
    co_return co_await output_now(x, what);
}

aio::awaitable<response> kill_job(exchange& x)
{
    parameters in{x.asked};
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    if (const auto wrong = no_fields(x.asked.body); !wrong)
        co_return x.problem(wrong.error());
    auto job = co_await x.service().kill_job(x.who, x.id);
    if (!job)
        co_return x.problem(job.error());
    co_return response{200, proto::api::to_json(*job)};
}

aio::awaitable<response> write_input(exchange& x)
{
    parameters in{x.asked};
    const bool eof = in.flag("eof");
    if (const auto wrong = in.wrong())
        co_return x.problem(*wrong);
    if (x.asked.body.size() > limits::input_bytes) {
        const base::error too_large{proto::api::errc::too_large,
            fmt::format("one write takes at most {} bytes", limits::input_bytes)};
        co_return x.problem(too_large);
    }
    auto writing = x.service().write_input(x.who, x.id, std::move(x.asked.body), eof);
    auto written = co_await while_connected(x.client, std::move(writing));
    if (!written)
        co_return x.problem(written.error());
    co_return response{200, proto::api::to_json(*written)};
}

} // namespace agentd::api
