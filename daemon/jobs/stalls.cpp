#include "jobs/stalls.hpp"

#include "base/clock.hpp"
#include "jobs/environment.hpp"
#include "jobs/leader.hpp"
#include "jobs/pump.hpp"
#include "jobs/readers.hpp"
#include "jobs/tree.hpp"

namespace agentd::jobs {

aio::awaitable<> watch_for_stalls(stall_means with)
{
    stall_watch watch{with.shared.settings.stall, base::mono_now()};
    for (;;) {
        const auto now = base::mono_now();
        const auto pause = watch.next(now) - now;
        co_await aio::sleep_for(std::chrono::ceil<std::chrono::milliseconds>(pause));
        const auto bytes = with.output.total() + with.input.total();
        if (!watch.saw(base::mono_now(), bytes))
            with.input.set_awaited(false);
        const auto input = with.input.identity();
        if (!watch.due(base::mono_now()) || !input)
            continue;
        const bool shell_lives = !with.shell.look().has_value();
        auto look = [pids = with.processes.list(shell_lives), from = *input] {
            return look_for_readers(pids, from);
        };
        const auto found = co_await with.shared.looking.run(std::move(look));
        co_await aio::rethrow_if_cancelled(); // the job may have ended meanwhile
        with.input.note_look();
        const bool alive = with.output.total() + with.input.total() != bytes;
        if (alive || !watch.looked(base::mono_now(), found))
            continue;
        with.input.set_awaited(true);
        with.tell(watch.silent(base::mono_now()));
    }
}

} // namespace agentd::jobs
