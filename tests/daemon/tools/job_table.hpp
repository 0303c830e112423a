// The session's side of the job tools, as a table that a test fills: what is there, what was
// asked for. On the test's strand.
#pragma once

#include "tools/job_control.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace agentd::testing {

class job_table final : public tools::job_control {
public:
    aio::awaitable<base::result<tools::started_job>> start(tools::job_order what) override
    {
        started.emplace_back(what.command, what.timeout);
        bounds_asked.push_back(what.most);
        inputs.push_back(what.input);
        co_return next_start;
    }

    aio::awaitable<std::vector<tools::job_view>> list() override { co_return jobs; }

    aio::awaitable<std::optional<tools::job_view>> find(base::job_id id) override
    {
        const auto found = std::ranges::find(jobs, id, &tools::job_view::id);
        if (found == jobs.end())
            co_return std::nullopt;
        co_return *found;
    }

    aio::awaitable<base::result<tools::job_output>> read_output(
        base::job_id id, std::optional<std::uint64_t> offset, std::size_t limit) override
    {
        if (output_error)
            co_return std::unexpected(*output_error);
        tools::job_output out;
        const auto size = output.size();
        out.offset = offset.value_or(size > limit ? size - limit : 0);
        out.gap_start = gap.first;
        out.gap_end = gap.second;
        if (out.offset < size)
            out.bytes = output.substr(out.offset, limit);
        out.next_offset = out.offset + out.bytes.size();
        read_of = std::move(id);
        co_return out;
    }

    aio::awaitable<std::optional<agentd::jobs::input_result>> write_input(
        base::job_id id, std::string text, bool eof) override
    {
        written.emplace_back(id.str(), std::move(text), eof);
        co_return next_write;
    }

    aio::awaitable<std::optional<tools::job_view>> stop(base::job_id id) override
    {
        const auto found = std::ranges::find(jobs, id, &tools::job_view::id);
        if (found == jobs.end())
            co_return std::nullopt;
        if (!found->ended) {
            found->ended = true;
            found->status = "killed";
            found->by = "model";
        }
        stopped.push_back(std::move(id));
        co_return *found;
    }

    aio::awaitable<tools::wait_end> wait(
        std::vector<base::job_id> ids, tools::wait_mode mode, std::chrono::seconds limit) override
    {
        waited = std::move(ids);
        waited_mode = mode;
        waited_limit = limit;
        for (auto& each : jobs_after_wait)
            *std::ranges::find(jobs, each.id, &tools::job_view::id) = each;
        co_return next_wait;
    }

    // What there is.
    std::vector<tools::job_view> jobs;
    std::string output; // of each
    std::pair<std::uint64_t, std::uint64_t> gap{0, 0};
    std::optional<base::error> output_error;
    base::result<tools::started_job> next_start =
        tools::started_job{.id = base::job_id{"1f3a9c02"}};
    tools::wait_end next_wait = tools::wait_end::ended;
    std::vector<tools::job_view> jobs_after_wait;
    std::optional<agentd::jobs::input_result> next_write = agentd::jobs::input_result{};

    // What was asked for.
    std::vector<std::pair<std::string, std::chrono::seconds>> started;
    std::vector<jobs::bounds> bounds_asked;  // with each
    std::vector<agentd::jobs::input> inputs; // of those
    std::vector<std::tuple<std::string, std::string, bool>> written;
    base::job_id read_of;
    std::vector<base::job_id> stopped;
    std::vector<base::job_id> waited;
    tools::wait_mode waited_mode = tools::wait_mode::any;
    std::chrono::seconds waited_limit{-1};
};

} // namespace agentd::testing
