// What a transaction costs the coroutine that waits for it: one INSERT of an event, alone and
// among many, synced and not; and a read. Prints one line each.
#include "aio/task_group.hpp"
#include "store/events.hpp"
#include "store/store.hpp"

#include <boost/asio/io_context.hpp>

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

namespace {

using namespace agentd;

struct load {
    const char* name;
    bool reads;
    store::durability keep;
    int clients;
    int each;
};

aio::awaitable<> client(store::store& db, const load& what)
{
    for (int i = 0; i < what.each; ++i) {
        if (what.reads) {
            auto look = [](store::connection& c) { return store::events::newest(c); };
            const auto seq = co_await db.read(std::move(look));
            if (!seq)
                co_return;
        } else {
            auto add = [](store::connection& c) {
                proto::api::event e;
                e.type = "turn.started";
                e.session_id = base::session_id{"s_aaaaaaaaaa"};
                e.task_id = base::task_id{"t_aaaaaaaaaa"};
                return c.append_event(std::move(e));
            };
            const auto seq = co_await db.write(store::step::begin_turn, what.keep, std::move(add));
            if (!seq)
                co_return;
        }
    }
}

void measure(boost::asio::io_context& io, store::store& db, const load& what)
{
    const auto strand = aio::make_strand(io.get_executor());
    aio::task_group group{strand};
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < what.clients; ++i)
        group.spawn("client", client(db, what));
    io.restart();
    io.run();
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    const double count = static_cast<double>(what.clients) * what.each;
    fmt::print("{:<28} {:>3} at once: {:>8.1f} us each, {:>9.0f} a second\n", what.name,
        what.clients, took.count() / what.each, count / took.count() * 1e6);
}

} // namespace

int main()
{
    std::string folder = "/tmp/agentd-bench-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr)
        return 1;
    int status = 0;
    {
        boost::asio::io_context io;
        auto opened = store::store::open(folder + "/state");
        if (opened) {
            const auto fast = store::durability::process_death;
            const auto synced = store::durability::power_loss;
            for (const load& what : {load{"write", false, fast, 1, 20'000},
                     load{"write", false, fast, 8, 10'000}, load{"write", false, fast, 64, 3'000},
                     load{"synced write", false, synced, 1, 200},
                     load{"synced write", false, synced, 64, 200},
                     load{"read", true, fast, 1, 20'000}, load{"read", true, fast, 64, 3'000}})
                measure(io, **opened, what);
        }
        status = opened ? 0 : 1;
    }
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    return status;
}
