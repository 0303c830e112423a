// The power goes at any moment, and the disk keeps what it likes of what was not synced: what
// was promised to somebody is there all the same, nothing is half there, and no number that was
// ever given out is used again (DESIGN §9).
#include "store/sqlite.hpp"
#include "tests/daemon/store/fixture.hpp"
#include "tests/support/power_loss_vfs.hpp"

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

namespace agentd::testing {
namespace {

using store::connection;
using store::durability;

// What callers and followers have been told so far.
struct told {
    std::vector<base::event_seq> promised;  // answered, and to survive a power loss
    std::vector<base::event_seq> committed; // answered, and to survive the process
    base::event_seq published = 0;
};

// Each image costs two starts of a database: more seeds where they are quick. More, too, until
// one has lost something.
#ifdef __OPTIMIZE__
constexpr std::uint64_t seeds = 3;
#else
constexpr std::uint64_t seeds = 1;
#endif
constexpr std::uint64_t most_seeds = 12;

struct loss {
    std::string folder;
    told before;
};

// Writes under way while images of the disk are taken.
class load {
public:
    load(power_loss_vfs& disk, std::string folder) : disk_(disk), folder_(std::move(folder)) {}

    void run(std::size_t image_every, power_loss_vfs::kept how)
    {
        disk_.at_each(image_every, [this, how] { take_image(how); });
        test_store db{folder_ + "/state", {.boot_id = "one"}};
        db->on_events([this](const store::committed_events& events) {
            const std::lock_guard lock{mutex_};
            now_.published = events->back().seq;
        });
        REQUIRE(
            db.write([](connection& c) {
                  return store::sessions::insert(c, session_row("s_aaaa"));
              }).value_or(false));
        db.run(
            [this, &db](aio::executor strand) -> aio::awaitable<> {
                aio::task_group group{strand};
                for (unsigned i = 0; i < 6; ++i)
                    group.spawn("one", one(*db, i));
                co_await group.join();
            },
            std::chrono::seconds{100});
        // The end is a moment like any other.
    }

    [[nodiscard]] const std::vector<loss>& losses() const { return losses_; }

private:
    static constexpr int writes_each = 100;

    void take_image(power_loss_vfs::kept how)
    {
        const std::lock_guard lock{mutex_};
        losses_.push_back({folder_ + "/" + std::to_string(losses_.size()), now_});
        disk_.write_image(losses_.back().folder, how);
    }

    aio::awaitable<> one(store::store& db, unsigned number)
    {
        for (unsigned i = 0; i < writes_each; ++i) {
            const bool promise = (i * 7 + number) % 5 == 0;
            const auto size = (i * 37 + number * 101) % 30 == 0 ? 40'000U : 4'000U;
            auto work = [size](connection& c) {
                store::messages::row row;
                row.shown.role = "user";
                row.shown.content = std::string(size, 'x');
                static_cast<void>(store::messages::append(c, base::session_id{"s_aaaa"}, row));
                const auto seq = c.append_event(event("message.received", "s_aaaa"));
                return seq;
            };
            const auto seq = co_await db.write(store::step::add_message,
                promise ? durability::power_loss : durability::process_death, std::move(work));
            REQUIRE(seq.has_value());
            const std::lock_guard lock{mutex_};
            now_.committed.push_back(*seq);
            if (promise)
                now_.promised.push_back(*seq);
        }
    }

    power_loss_vfs& disk_;
    std::string folder_;
    std::mutex mutex_; // of all below; taken inside the disk's own
    told now_;
    std::vector<loss> losses_;
};

// What an image breaks of the promises, in words, and whether it lost anything else.
struct verdict {
    std::string broken;
    bool lost_unsynced = false;
};

verdict judge(const loss& one)
{
    verdict all;
    auto& wrong = all.broken;
    auto opened = store::store::open(one.folder, {.boot_id = "two"});
    if (!opened)
        return {"cannot be opened: " + opened.error().text, false};
    opened->reset();
    test_store db{one.folder, {.boot_id = "two"}};
    const auto read = db.read([&](connection& c) {
        auto check = c.prepare("PRAGMA integrity_check");
        if (!check.next() || check.text(0) != "ok")
            wrong += "damaged: " + check.text(0);
        auto counted = c.prepare("SELECT count(*), coalesce(max(seq), 0), (SELECT count(*) FROM "
                                 "messages), (SELECT messages FROM sessions) FROM events");
        counted.next();
        if (counted.integer(0) != counted.integer(1))
            wrong += "a hole in the numbers; ";
        if (counted.integer(0) != counted.integer(2) ||
            (counted.integer(0) != 0 && counted.integer(2) != counted.integer(3)))
            wrong += "half a transaction; ";
        const auto is_lost = [newest = counted.integer(1)](base::event_seq seq) {
            return static_cast<std::int64_t>(seq) > newest;
        };
        if (const auto lost = std::ranges::count_if(one.before.promised, is_lost); lost != 0)
            wrong += "lost " + std::to_string(lost) + " that were promised; ";
        all.lost_unsynced = std::ranges::any_of(one.before.committed, is_lost);
    });
    if (!read)
        return {"cannot be read: " + read.error().text, false};
    const auto next = db.write([](connection& c) { return c.append_event(event("daemon.x")); });
    if (next.value_or(0) <= one.before.published)
        wrong += "a number used twice: " + std::to_string(next.value_or(0));
    return all;
}

TEST_CASE("power loss: what was promised is there, nothing is half there, no number comes twice")
{
    std::size_t images = 0;
    std::size_t unsynced_lost = 0;
    for (std::uint64_t seed = 1; seed <= seeds || (unsynced_lost == 0 && seed <= most_seeds);
        ++seed) {
        const temp_folder folder;
        power_loss_vfs disk{seed, power_loss_vfs::syncs::kept};
        load work{disk, folder.path()};
        work.run(150 + seed, power_loss_vfs::kept::some);
        disk.at_each(1, [] {});
        for (const auto& one : work.losses()) {
            const auto found = judge(one);
            CHECK_MESSAGE(found.broken == "", "seed ", seed, " image ", one.folder);
            unsynced_lost += found.lost_unsynced ? 1 : 0;
            ++images;
        }
    }
    MESSAGE(images, " power losses; ", unsynced_lost, " took something that was not promised");
    CHECK(images > 13 * seeds);
    CHECK(unsynced_lost > 0); // else the disk was not as bad as it is meant to be
}

TEST_CASE("power loss: a killed process loses nothing that it had answered, synced or not")
{
    const temp_folder folder;
    power_loss_vfs disk{7, power_loss_vfs::syncs::kept};
    load work{disk, folder.path()};
    work.run(300, power_loss_vfs::kept::all);
    disk.at_each(1, [] {});
    CHECK(work.losses().size() > 10);
    for (const auto& one : work.losses()) {
        const auto found = judge(one);
        CHECK(found.broken == "");
        CHECK(!found.lost_unsynced);
    }
}

TEST_CASE("power loss: with synchronous = OFF the losses are found")
{
    const temp_folder folder;
    power_loss_vfs disk{1, power_loss_vfs::syncs::off};
    load work{disk, folder.path()};
    work.run(200, power_loss_vfs::kept::some);
    disk.at_each(1, [] {});
    std::size_t broken = 0;
    for (const auto& one : work.losses())
        broken += judge(one).broken.empty() ? 0 : 1;
    MESSAGE(broken, " of ", work.losses().size(), " images break a promise");
    CHECK(broken > 0);
}

} // namespace
} // namespace agentd::testing
