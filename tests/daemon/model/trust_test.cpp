// The trusted certificates when the machine is short of something while they are read: that
// passes, and so must what it did.
#include "tests/daemon/model/ear.hpp"
#include "tests/daemon/model/no_descriptors.hpp"
#include "tests/daemon/model/secured.hpp"
#include "tests/support/run_coro.hpp"

#include <doctest/doctest.h>

#include <pthread.h>

#include <optional>

using namespace agentd::testing;
using namespace agentd;
using namespace std::chrono_literals;

namespace {

// While it lives, the process gets no further thread: no address space has room for its stack.
class no_threads {
public:
    no_threads()
    {
        ::pthread_getattr_default_np(&old_);
        pthread_attr_t wide;
        ::pthread_attr_init(&wide);
        ::pthread_attr_setstacksize(&wide, std::size_t{1} << 50U);
        CHECK(::pthread_setattr_default_np(&wide) == 0);
        ::pthread_attr_destroy(&wide);
    }
    ~no_threads()
    {
        ::pthread_setattr_default_np(&old_);
        ::pthread_attr_destroy(&old_);
    }
    no_threads(const no_threads&) = delete;
    no_threads& operator=(const no_threads&) = delete;

private:
    pthread_attr_t old_{};
};

// No thread is to be had until the first attempt has failed.
class short_of_threads final : public model::progress {
public:
    void on_text(std::int64_t, std::size_t, std::string_view) override {}
    void on_retry(std::int64_t, const model::failure& why, std::chrono::milliseconds) override
    {
        failed = why;
        none_.reset();
    }
    void on_fallback(std::string_view, std::string_view, const model::failure&) override {}

    model::failure failed;

private:
    std::optional<no_threads> none_{std::in_place};
};

} // namespace

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

TEST_CASE("trust: no thread to read it on is a failure to connect, tried again")
{
    const secured server;
    const auto with = server.options();
    run_coro([&with](aio::executor io) -> aio::awaitable<> {
        const auto client = model::make_client(io, with);
        short_of_threads told;
        auto got = co_await client->ask(simple_request(), told);
        CHECK_MESSAGE(got.has_value(), (got ? "" : got.error().message));
        CHECK(told.failed.type == "connect_error");
        CHECK(told.failed.message.find("cannot start a thread: ") != std::string::npos);
    });
}
