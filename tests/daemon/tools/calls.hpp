// Runs tool calls through the registry as a session does: with a real workspace, real
// commands and a table for jobs.
#pragma once

#include "aio/blocking_pool.hpp"
#include "aio/task_group.hpp"
#include "base/text.hpp"
#include "jobs/environment.hpp"
#include "jobs/foreground.hpp"
#include "tests/daemon/tools/folder.hpp"
#include "tests/daemon/tools/job_table.hpp"
#include "tests/support/run_coro.hpp"
#include "tools/policy.hpp"
#include "tools/tool.hpp"
#include "tools/workspace.hpp"

#include <functional>
#include <string>
#include <utility>

namespace agentd::testing {

class calls {
public:
    calls() : files_(open(in)) { REQUIRE(jobs::become_subreaper()); }

    // The answer to the call, errors and others alike; is_error is checked against the text.
    std::string run(std::string name, std::string input)
    {
        tools::answer given;
        const tools::call what{"toolu_1", std::move(name), std::move(input)};
        run_coro([this, &what, &given](
                     aio::executor strand) { return answered(std::move(strand), what, given); });
        CHECK(given.is_error == given.text.starts_with("Error:"));
        CHECK_FALSE(given.text.empty());
        CHECK(base::is_utf8(given.text));
        return given.text;
    }

    folder in;    // the workspace
    folder spool; // beside it
    job_table jobs;
    tools::policy allowed;
    std::function<bool()> interrupt; // where set: when to cancel the call
    std::vector<std::string> env{"PATH=/usr/bin:/bin", "GREETING=hello"};

private:
    aio::awaitable<> answered(aio::executor strand, tools::call what, tools::answer& given)
    {
        // In here, so that its threads end before the loop they report to.
        aio::blocking_pool blocking{2};
        jobs::options settings;
        settings.spool.folder = spool / "jobs";
        settings.grace = std::chrono::milliseconds{300};
        jobs::environment shared{strand, blocking, settings};
        REQUIRE(shared.open());
        {
            jobs::foreground commands{strand, shared, base::session_id{"s_test"}};
            tools::context with{files_, allowed, commands, jobs, blocking, env};
            if (interrupt) {
                co_await interrupted(strand, std::move(what), with, given);
            } else {
                auto got = co_await registry_.run(std::move(what), with);
                given = std::move(got);
            }
        }
        co_await shared.close();
    }

    // Cancels the call once interrupt() is true; `given` stays empty if it throws as it should.
    aio::awaitable<> interrupted(
        aio::executor strand, tools::call what, tools::context& with, tools::answer& given)
    {
        aio::task running{strand};
        running.start("call", store_answer(std::move(what), with, given));
        while (!interrupt() && running.running())
            co_await aio::sleep_for(std::chrono::milliseconds{2});
        running.cancel();
        co_await running.join();
        if (given.text.empty())
            given.text = "(interrupted)";
    }

    aio::awaitable<> store_answer(tools::call what, tools::context& with, tools::answer& given)
    {
        auto got = co_await registry_.run(std::move(what), with);
        given = std::move(got);
    }

    static tools::workspace open(const folder& where)
    {
        auto files = tools::workspace::open(where.path());
        REQUIRE(files);
        return std::move(*files);
    }

    tools::workspace files_;
    tools::registry registry_;
};

} // namespace agentd::testing
