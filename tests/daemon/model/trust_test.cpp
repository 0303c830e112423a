// The trusted certificates when the machine is short of something while they are read: that
// passes, and so must what it did.
#include "tests/daemon/model/ear.hpp"
#include "tests/daemon/model/no_descriptors.hpp"
#include "tests/daemon/model/secured.hpp"
#include "tests/support/run_coro.hpp"

#include <doctest/doctest.h>

using namespace agentd::testing;
using namespace agentd;
using namespace std::chrono_literals;

TEST_CASE("trust: a reload without a free descriptor leaves the client usable")
{
    const secured server;
    const auto with = server.options();
    run_coro([&with](aio::executor io) -> aio::awaitable<> {
        co_await aio::sleep_for(1ms); // the loop has its own descriptors from here on
        const auto client = model::make_client(io, with);
        {
            const no_descriptors for_a_moment;
            client->reload(with);
        }
        CHECK(client->degraded().empty());
        one_ask later;
        co_await ask_as(*client, "claude-test", later);
        CHECK_MESSAGE(
            later.outcome.has_value(), (later.outcome ? "" : later.outcome.error().message));
    });
}
