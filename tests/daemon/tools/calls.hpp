// Runs tool calls through the registry as a session does: with a real workspace, real
// commands and a table for jobs.
#pragma once

#include "aio/blocking_pool.hpp"
#include "base/text.hpp"
#include "jobs/environment.hpp"
#include "jobs/foreground.hpp"
#include "tests/daemon/tools/folder.hpp"
#include "tests/daemon/tools/job_table.hpp"
#include "tests/support/run_coro.hpp"
#include "tools/policy.hpp"
#include "tools/tool.hpp"
#include "tools/workspace.hpp"

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
        run_coro([&](aio::executor strand) -> aio::awaitable<> {
            // In here, so that its threads end before the loop they report to.
            aio::blocking_pool blocking{2};
            jobs::options settings;
            settings.spool.folder = spool / "jobs";
            settings.grace = std::chrono::milliseconds{300};
            jobs::environment shared{strand, blocking, settings};
            const auto opened = shared.open();
            REQUIRE(opened);
            {
                jobs::foreground commands{strand, shared, base::session_id{"s_test"}};
                tools::context with{files_, allowed, commands, jobs, blocking, env};
                with.job_timeout = std::chrono::seconds{3600};
                tools::call what{"toolu_1", name, input};
                given = co_await registry_.run(std::move(what), with);
            }
            co_await shared.close();
        });
        CHECK(given.is_error == given.text.starts_with("Error:"));
        CHECK_FALSE(given.text.empty());
        CHECK(base::is_utf8(given.text));
        return given.text;
    }

    folder in;    // the workspace
    folder spool; // beside it
    job_table jobs;
    tools::policy allowed;
    std::vector<std::string> env{"PATH=/usr/bin:/bin", "GREETING=hello"};

private:
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
