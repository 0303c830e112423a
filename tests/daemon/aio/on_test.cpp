// aio::on with its other executor on another thread.
#include "aio/task_group.hpp"
#include "tests/support/run_coro.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include <doctest/doctest.h>

#include <thread>

using namespace agentd;
using testing::run_coro;

namespace {

aio::awaitable<int> one()
{
    co_return 1;
}

aio::awaitable<> there_and_back(aio::executor there, int* count)
{
    for (int i = 0; i < 4; ++i) {
        const int value = co_await aio::on(there, one());
        *count += value;
    }
}

aio::awaitable<> nothing()
{
    co_return;
}

// An io_context with a thread of its own.
class elsewhere {
public:
    ~elsewhere()
    {
        busy_.reset();
        thread_.join();
    }
    [[nodiscard]] aio::executor strand() { return aio::make_strand(io_.get_executor()); }

private:
    boost::asio::io_context io_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> busy_{
        io_.get_executor()};
    std::thread thread_{[this] { io_.run(); }};
};

} // namespace

TEST_CASE("on: a cancellation meets the end of what runs on another thread")
{
    elsewhere other;
    const auto there = other.strand();
    run_coro([there](aio::executor strand) -> aio::awaitable<> {
        for (int round = 0; round < 1000; ++round) {
            int count = 0;
            aio::task_group group{strand};
            group.spawn("there and back", there_and_back(there, &count));
            for (int i = 0; i < round % 4; ++i)
                co_await aio::on(strand, nothing());
            group.cancel();
            co_await group.join();
            CHECK(count <= 4);
        }
    });
}
