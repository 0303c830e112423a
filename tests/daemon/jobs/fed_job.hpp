// A job with a stdin that runs beside the test.
#pragma once

#include "aio/task_group.hpp"
#include "tests/daemon/jobs/rig.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <string>
#include <utility>
#include <vector>

namespace agentd::testing {

using namespace std::chrono_literals;

struct fed_job {
    fed_job(rig& with, std::string text, jobs::input kind = jobs::input::pipe)
        : one(with.strand, with.shared, base::new_job_id(), command(with, std::move(text), kind),
              jobs::place{}),
          running(with.strand)
    {
        one.when_stalled([this](jobs::stall how) { stalls.push_back(std::move(how)); });
        running.start("job", run());
    }

    static jobs::command command(
        const rig& with, std::string text, jobs::input kind = jobs::input::pipe)
    {
        auto what = with.command(std::move(text));
        what.input = kind;
        return what;
    }

    aio::awaitable<> run()
    {
        auto ran = co_await one.run();
        end = std::move(ran);
    }

    aio::awaitable<jobs::input_result> write(
        std::string text, bool eof = false, std::chrono::milliseconds limit = 30s)
    {
        co_return co_await jobs::job_input::write(one.stdin_of(), std::move(text), eof, limit);
    }

    aio::awaitable<> write_into(jobs::input_result* result, std::string text, bool eof)
    {
        auto done = co_await write(std::move(text), eof);
        *result = done;
    }

    jobs::job one;
    jobs::outcome end;
    std::vector<jobs::stall> stalls; // that were told
    aio::task running;
};

inline std::string numbered_lines(std::size_t bytes)
{
    std::string text;
    for (int i = 0; text.size() < bytes; ++i)
        text += std::to_string(i) + "\n";
    return text;
}

inline void with_feeding(const rig_test& test, jobs::options with = quick())
{
    ::signal(SIGPIPE, SIG_IGN); // as the daemon has it
    with_rig(test, std::move(with));
    ::signal(SIGPIPE, SIG_DFL);
}

} // namespace agentd::testing
