// open_work: the tools that a reply asked for. On the session's strand.
#include "base/limits.hpp"
#include "base/text.hpp"
#include "proto/messages/encode.hpp"
#include "session/commit.hpp"
#include "session/open_work.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <fmt/format.h>

#include <exception>
#include <utility>

namespace agentd::session {
namespace {

namespace calls = store::calls;

// The beginning of a broken input, fit to be shown: no half of a code point, no markers.
std::string quoted(std::string_view input)
{
    const auto shown = base::printable(input.substr(0, 4 * limits::quoted_input_bytes));
    return base::defuse_markers(base::first_chars(shown, limits::quoted_input_bytes));
}

// Why a call cannot be run as it came (wire reference §3.4); empty: it can.
std::string problem_with(const model::block& block)
{
    switch (block.input_is) {
    case model::input_state::complete: return {};
    case model::input_state::cut_off:
        return "the input of this call was cut off before its end; nothing was run. Call again, "
               "shorter. What came: " +
            quoted(block.input);
    case model::input_state::invalid: break;
    }
    return "the input of this call is no JSON object; nothing was run. What came: " +
        quoted(block.input);
}

} // namespace

void open_work::note_calls(const model::reply& reply, bool run_them)
{
    std::vector<bool> barriers;
    for (const auto& block : reply.content) {
        if (block.kind != model::block_kind::tool_use)
            continue;
        call_in_work call;
        call.row.position = static_cast<std::int64_t>(calls_.size());
        call.row.task_id = task_.shown.id;
        call.row.tool_id = block.tool_id;
        call.row.name = block.tool_name;
        call.row.input = block.input;
        call.what = {block.tool_id, block.tool_name, block.input};
        call.problem = problem_with(block);
        call.runnable = call.problem.empty();
        const auto* tool = shared_.tools.find(block.tool_name);
        barriers.push_back(call.runnable && tool != nullptr && tool->is_barrier());
        calls_.push_back(std::move(call));
    }
    plan_.emplace(barriers);
    if (!run_them)
        return;
    startable_ = plan_->take_startable();
    for (const auto number : startable_)
        calls_[number].row.state = calls::state::started;
}

aio::awaitable<std::optional<event>> open_work::run(todo::run_tools how)
{
    if (!how.refuse.empty()) {
        co_await refuse_open_calls("not run: " + how.refuse);
        collect_results();
        co_return happened::tools_done{};
    }
    ++step_;
    for (const auto number : std::exchange(startable_, {}))
        running_calls_.spawn("tool call", run_call(step_, number));
    co_return std::nullopt;
}

aio::awaitable<std::optional<event>> open_work::start_calls()
{
    for (const auto number : plan_->take_startable()) {
        auto& call = calls_[number];
        call.row.state = calls::state::started;
        auto begin = [task = task_, row = call.row](
                         store::connection& db) { steps::begin_call(db, task, row); };
        co_await commit(shared_, store::step::begin_call, std::move(begin));
        running_calls_.spawn("tool call", run_call(step_, number));
    }
    if (!plan_->done())
        co_return std::nullopt;
    collect_results();
    got_on_ = true;
    co_return happened::tools_done{};
}

aio::awaitable<> open_work::run_call(std::uint64_t step, std::size_t number)
{
    const auto began = base::mono_now();
    tools::answer answer;
    try {
        auto given = co_await answer_to(number);
        answer = std::move(given);
    } catch (const boost::system::system_error& end) {
        const bool cancelled = end.code() == boost::asio::error::operation_aborted;
        answer = tools::failed(cancelled ? stop_text_ : "internal error: " + end.code().message());
    } catch (const std::exception& broken) { // out of memory, or a bug: an answer all the same
        answer = tools::failed(fmt::format("internal error: {}", broken.what()));
    }
    co_await aio::shield();
    try {
        co_await finish_call(number, std::move(answer), base::elapsed_since(began));
    } catch (const broken_step& why) {
        owner_.put(report::step_broken{why.what()});
    }
    report::call_ended ended;
    ended.step = step;
    ended.call = number;
    owner_.put(ended);
}

aio::awaitable<tools::answer> open_work::answer_to(std::size_t number)
{
    auto& call = calls_[number];
    if (!call.runnable)
        co_return tools::failed(call.problem);
    co_return co_await shared_.tools.run(call.what, *context_);
}

aio::awaitable<> open_work::finish_call(
    std::size_t number, tools::answer answer, std::chrono::milliseconds wall)
{
    auto& row = calls_[number].row;
    row.text = std::move(answer.text);
    row.is_error = answer.is_error;
    auto finish = [task = task_, row, wall](
                      store::connection& db) { steps::finish_call(db, task, row, wall); };
    co_await commit(shared_, store::step::finish_call, std::move(finish));
    row.state = calls::state::finished;
}

aio::awaitable<> open_work::refuse_open_calls(std::string reason)
{
    for (std::size_t i = 0; i < calls_.size(); ++i) {
        const auto state = calls_[i].row.state;
        if (state == calls::state::finished)
            continue;
        // No reason given: the daemon ended under it, and this is what is known.
        const std::string known = state == calls::state::started
            ? "this call was cut off when agentd ended, and may have had effects"
            : "this call was not started: agentd ended before";
        co_await finish_call(
            i, tools::failed(reason.empty() ? known : reason), std::chrono::milliseconds{0});
    }
}

void open_work::collect_results()
{
    std::vector<std::string> results;
    for (const auto& call : calls_)
        results.push_back(
            proto::messages::tool_result_block(call.row.tool_id, call.row.text, call.row.is_error));
    if (!results.empty())
        history_.add_results(results);
    calls_.clear();
    plan_.reset();
}

} // namespace agentd::session
