// The pure parts by tables: what happens next with a command, who gets the next place, what is
// kept of a stream.
#include "base/limits.hpp"
#include "jobs/fair_queue.hpp"
#include "jobs/head_tail.hpp"
#include "jobs/job_state.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace agentd;
using namespace std::chrono_literals;
using jobs::job_state;
using step = job_state::step;

namespace {

const job_state::time_point began{};
const job_state::settings plain{.timeout = 10s, .grace = 5s};

} // namespace

TEST_CASE("job_state: a shell that exits with nothing left has completed")
{
    job_state state{plain, began};
    CHECK(state.next(began) == step::wait);
    CHECK(state.wake_at() == began + 10s);
    state.shell_exited(began + 1s);
    CHECK(state.next(began + 1s) == step::look);
    state.saw(0);
    CHECK(state.next(began + 1s) == step::finish);
    CHECK(state.how() == jobs::ended::completed);
    CHECK(state.leftovers() == 0);
    CHECK(state.ended_at() == began + 1s);
}

TEST_CASE("job_state: leftovers get TERM, after the grace KILL until nothing is left")
{
    job_state state{plain, began};
    state.shell_exited(began + 1s);
    CHECK(state.next(began + 1s) == step::look);
    state.saw(2);
    CHECK(state.next(began + 1s) == step::terminate);
    CHECK(state.next(began + 1s) == step::look);
    state.saw(2);
    CHECK(state.next(began + 1s) == step::wait);
    CHECK(state.wake_at() == began + 6s);
    CHECK(state.next(began + 2s) == step::look); // something was noticed
    state.saw(1);
    CHECK(state.next(began + 2s) == step::wait);
    CHECK(state.next(began + 6s) == step::look);
    state.saw(1);
    CHECK(state.next(began + 6s) == step::kill);
    CHECK(state.next(began + 6s) == step::look);
    state.saw(1);
    CHECK(state.next(began + 6s) == step::wait);
    CHECK(state.wake_at() == began + 6s + limits::kill_round);
    CHECK(state.next(began + 7s) == step::look);
    state.saw(1);
    CHECK(state.next(began + 7s) == step::kill);
    CHECK(state.next(began + 7s) == step::look);
    state.saw(0);
    CHECK(state.next(began + 7s) == step::finish);
    CHECK(state.how() == jobs::ended::completed);
    CHECK(state.leftovers() == 2);
    CHECK(state.ended_at() == began + 1s);
}

TEST_CASE("job_state: a stop names the end whatever the exit, the first one")
{
    job_state state{plain, began};
    state.stop(jobs::stopped_by::model);
    state.stop(jobs::stopped_by::shutdown);
    CHECK(state.next(began) == step::look);
    state.saw(3);
    CHECK(state.next(began) == step::terminate);
    CHECK(state.next(began) == step::wait);
    state.shell_exited(began + 1s);
    CHECK(state.next(began + 1s) == step::look);
    state.saw(0);
    CHECK(state.next(began + 1s) == step::finish);
    CHECK(state.how() == jobs::ended::killed);
    CHECK(state.by() == jobs::stopped_by::model);
    CHECK(state.leftovers() == 0);
}

TEST_CASE("job_state: a stop that comes after the exit changes nothing")
{
    job_state state{plain, began};
    state.shell_exited(began + 1s);
    state.stop(jobs::stopped_by::model);
    CHECK(state.next(began + 1s) == step::look);
    state.saw(1);
    CHECK(state.next(began + 1s) == step::terminate);
    CHECK(state.next(began + 1s) == step::look);
    state.saw(0);
    CHECK(state.next(began + 1s) == step::finish);
    CHECK(state.how() == jobs::ended::completed);
    CHECK_FALSE(state.by());
}

TEST_CASE("job_state: a timeout is one, also when a stop follows")
{
    job_state state{plain, began};
    CHECK(state.next(began + 10s) == step::look);
    state.saw(0);
    CHECK(state.next(began + 10s) == step::terminate);
    state.stop(jobs::stopped_by::user);
    CHECK(state.next(began + 11s) == step::wait);
    CHECK(state.next(began + 15s) == step::look);
    state.saw(0);
    CHECK(state.next(began + 15s) == step::kill);
    state.shell_exited(began + 15s);
    CHECK(state.next(began + 15s) == step::look);
    state.saw(0);
    CHECK(state.next(began + 15s) == step::finish);
    CHECK(state.how() == jobs::ended::timeout);
    CHECK_FALSE(state.by());
}

TEST_CASE("job_state: without a timeout it waits for ever")
{
    job_state state{job_state::settings{.timeout = 0ms, .grace = 5s}, began};
    CHECK(state.next(began + 10000h) == step::wait);
    CHECK(state.wake_at() == job_state::time_point::max());
}

TEST_CASE("job_state: an abort kills at once and gives up on what does not die")
{
    job_state state{plain, began};
    state.abort(began);
    CHECK(state.next(began) == step::look);
    state.saw(1);
    CHECK(state.next(began) == step::kill);
    CHECK(state.next(began) == step::look);
    state.saw(1);
    CHECK(state.next(began) == step::wait);
    CHECK(state.next(began + limits::kill_patience) == step::look);
    state.saw(0); // but the shell has not exited
    CHECK_FALSE(state.gave_up());
    CHECK(state.next(began + limits::kill_patience) == step::give_up);
    CHECK(state.gave_up());
}

TEST_CASE("job_state: kept leftovers are waited for, to the timeout")
{
    job_state state{
        job_state::settings{.timeout = 10s, .grace = 5s, .keep_leftovers = true}, began};
    state.shell_exited(began + 1s);
    CHECK(state.next(began + 1s) == step::look);
    state.saw(1);
    CHECK(state.next(began + 1s) == step::wait);
    CHECK(state.wake_at() == began + 10s);
    CHECK(state.next(began + 3s) == step::look);
    state.saw(0);
    CHECK(state.next(began + 3s) == step::finish);
    CHECK(state.how() == jobs::ended::completed);
    CHECK(state.ended_at() == began + 3s);
    CHECK(state.leftovers() == 0);
}

TEST_CASE("fair_queue: the caps hold and sessions take turns")
{
    const base::session_id a{"a"}, b{"b"}, c{"c"};
    jobs::fair_queue queue{jobs::caps{2, 3, 2}};
    using entry = jobs::fair_queue::entry;
    CHECK(queue.enter(a, 1) == entry::granted);
    CHECK(queue.enter(a, 2) == entry::granted);
    CHECK(queue.enter(a, 3) == entry::queued); // the session's cap
    CHECK(queue.enter(b, 4) == entry::granted);
    CHECK(queue.enter(b, 5) == entry::queued); // the daemon's cap
    CHECK(queue.enter(a, 6) == entry::queued);
    CHECK(queue.enter(a, 7) == entry::refused); // the queue's cap
    CHECK(queue.enter(c, 8) == entry::queued);
    CHECK(queue.running() == 3);
    CHECK(queue.queued() == 4);
    using tickets = std::vector<jobs::fair_queue::ticket>;
    CHECK(queue.leave(b, 4) == tickets{5}); // a is first but at its cap
    CHECK(queue.leave(a, 1) == tickets{3});
    CHECK(queue.leave(c, 8).empty()); // leaves the queue
    CHECK(queue.leave(b, 5).empty()); // a is at its cap again
    CHECK(queue.running() == 2);
    CHECK(queue.leave(a, 2) == tickets{6});
    CHECK(queue.leave(a, 3).empty());
    CHECK(queue.leave(a, 6).empty());
    CHECK(queue.running() == 0);
    CHECK(queue.queued() == 0);
}

TEST_CASE("fair_queue: a session with many waiting does not hold up the others")
{
    const base::session_id a{"a"}, b{"b"};
    jobs::fair_queue queue{jobs::caps{1, 1, 100}};
    CHECK(queue.enter(a, 1) == jobs::fair_queue::entry::granted);
    for (jobs::fair_queue::ticket n = 2; n < 50; ++n)
        queue.enter(a, n);
    queue.enter(b, 100);
    queue.enter(b, 101);
    using tickets = std::vector<jobs::fair_queue::ticket>;
    CHECK(queue.leave(a, 1) == tickets{2});
    CHECK(queue.leave(a, 2) == tickets{100});
    CHECK(queue.leave(b, 100) == tickets{3});
    CHECK(queue.leave(a, 3) == tickets{101});
}

TEST_CASE("fair_queue: other caps let in who waits and take nobody's place")
{
    const base::session_id a{"a"}, b{"b"};
    jobs::fair_queue queue{jobs::caps{1, 2, 100}};
    queue.enter(a, 1);
    queue.enter(a, 2);
    queue.enter(b, 3);
    queue.enter(b, 4);
    using tickets = std::vector<jobs::fair_queue::ticket>;
    CHECK(queue.change({3, 4, 100}) == tickets{2, 4});
    CHECK(queue.running() == 4);
    CHECK(queue.change({1, 1, 100}).empty());
    CHECK(queue.enter(a, 5) == jobs::fair_queue::entry::queued);
    CHECK(queue.leave(a, 1).empty());
    CHECK(queue.leave(b, 3).empty());
    CHECK(queue.leave(b, 4).empty());
    CHECK(queue.leave(a, 2) == tickets{5});
}

TEST_CASE("head_tail: keeps both ends of any stream, however it is cut")
{
    std::string all;
    for (int i = 0; i < 1000; ++i)
        all += static_cast<char>('a' + i % 26);
    for (std::size_t size : {0U, 5U, 10U, 11U, 30U, 31U, 500U, 1000U}) {
        for (std::size_t cut : {1U, 7U, 20U, 64U, 1000U}) {
            jobs::head_tail kept{10, 20};
            for (std::size_t at = 0; at < size; at += cut)
                kept.append(std::string_view{all}.substr(at, std::min(cut, size - at)));
            const auto got = kept.take();
            CAPTURE(size);
            CAPTURE(cut);
            CHECK(kept.total() == size);
            CHECK(got.head == all.substr(0, std::min<std::size_t>(size, 10)));
            const auto tail = size <= 10 ? 0 : std::min<std::size_t>(size - 10, 20);
            CHECK(got.tail == all.substr(size - tail, tail));
            CHECK(got.left_out == size - got.head.size() - got.tail.size());
        }
    }
}
