#include "store/writer.hpp"

#include "base/log.hpp"
#include "store/fail_point.hpp"
#include "store/refusal.hpp"
#include "store/thread.hpp"

#include <algorithm>
#include <utility>

namespace agentd::store {
namespace {

// Pages in the write-ahead log from which it is copied into the database / from which the
// writer waits for that, since under steady load the log is never idle.
constexpr int long_log = 1000;       // 4 MiB
constexpr int too_long_log = 16'000; // 64 MiB

} // namespace

writer::writer(std::unique_ptr<sqlite_connection> db, event_log log, const std::string& file)
    : db_(std::move(db)),
      log_(std::move(log)),
      jump_(log_.jump()),
      checkpointer_(file),
      trouble_(file)
{
    db_->set_event_log(&log_);
    db_->on_wal([this](int pages) { watch_log(pages); });
    thread_ = start_thread("store-write", [this] { main(); });
}

writer::~writer()
{
    queue_.close();
    thread_.join();
}

void writer::push(step name, durability keep, std::unique_ptr<unit_of_work> work)
{
    pending item{name, keep, std::move(work), std::nullopt, false};
    if (const auto refused = queue_.push(item))
        item.work->fail(refusal_error(*refused));
}

void writer::on_events(std::function<void(committed_events)> sink)
{
    sink_ = std::move(sink); // before the first write: the queue's mutex carries it over
}

void writer::main()
{
    prepare_first();
    static_cast<void>(trouble_.take_room()); // full already: the first commit will tell
    batch works;
    while (queue_.take(works, limits::store_batch, trouble_.until_probe())) {
        if (trouble_.until_probe() == std::chrono::milliseconds{0})
            probe();
        hold_back(works);
        if (!works.empty())
            run_batch(works);
        works.clear();
    }
    try {
        log_.close(*db_);
    } catch (const sqlite_error& e) {
        log::warning("store.close_failed", {}, "{}", e.what());
    }
}

void writer::prepare_first()
{
    try {
        make_room(); // so that the first caller does not wait for it
    } catch (const sqlite_error& e) {
        static_cast<void>(trouble_.begin(to_error(e), "open"));
    }
}

// Numbers that are reserved stand in the database itself soon: the log may vanish.
void writer::make_room()
{
    if (log_.make_room(*db_))
        checkpointer_.ask();
}

void writer::hold_back(batch& works)
{
    std::erase_if(works, [this](pending& item) {
        const auto refusal = trouble_.refusal(item.name);
        if (refusal)
            item.work->fail(*refusal);
        return refusal.has_value();
    });
}

void writer::run_batch(batch& works)
{
    auto failure = transact(works);
    if (failure && trouble_.begin(*failure, to_string(works.front().name))) {
        hold_back(works); // the rest has more room now
        if (works.empty())
            return;
        failure = transact(works);
    }
    if (failure) {
        for (auto& item : works)
            item.work->fail(*failure);
        return;
    }
    if (auto events = log_.take(); events && sink_)
        sink_(std::move(events));
    for (auto& item : works)
        item.failure ? item.work->fail(std::move(*item.failure)) : item.work->complete();
}

std::optional<base::error> writer::transact(batch& works)
{
    bool synced = false;
    for (const auto& item : works)
        synced = synced || item.keep == durability::power_loss;
    try {
        if (std::exchange(log_too_long_, false))
            db_->checkpoint();
        make_room();
        db_->set_synced(synced);
        db_->prepare("BEGIN IMMEDIATE").run();
        for (auto& item : works)
            run_one(item, works.size() == 1);
        if (db_->in_transaction())
            commit(works);
        return std::nullopt;
    } catch (const sqlite_error& e) {
        roll_back();
        return to_error(e);
    }
}

void writer::commit(const batch& works)
{
    const auto pass = [&works](moment when) {
        for (const auto& item : works)
            if (item.kept)
                fail_point(item.name, when);
    };
    pass(moment::before);
    db_->prepare("COMMIT").run();
    pass(moment::after);
}

void writer::run_one(pending& item, bool alone)
{
    const auto mark = log_.mark();
    item.failure.reset(); // of an earlier try
    if (!alone)
        db_->prepare("SAVEPOINT work").run();
    item.kept = attempt(item);
    if (!item.kept) {
        db_->prepare(alone ? "ROLLBACK" : "ROLLBACK TO work").run();
        log_.rewind(mark);
    }
    if (!alone)
        db_->prepare("RELEASE work").run();
}

bool writer::attempt(pending& item)
{
    try {
        return item.work->run(*db_);
    } catch (const sqlite_error& e) {
        // What is wrong with the disk, or has ended the transaction, is everybody's.
        if (is_outage(e.code) || !db_->in_transaction())
            throw;
        item.failure = to_error(e);
    } catch (const std::exception& e) {
        item.failure = base::error{errc::failed, e.what()};
    }
    log::error(
        "store.work_failed", {}, "{} was undone: {}", to_string(item.name), item.failure->text);
    return false;
}

void writer::roll_back()
{
    log_.rewind(0);
    try {
        if (db_->in_transaction())
            db_->prepare("ROLLBACK").run();
    } catch (const sqlite_error& e) {
        log::error("store.rollback_failed", {}, "{}", e.what());
    }
}

void writer::probe()
{
    trouble_.note_probe();
    if (!trouble_.take_room())
        return;
    try {
        db_->set_synced(true);
        db_->execute("UPDATE meta SET probes = probes + 1");
        trouble_.end();
    } catch (const sqlite_error&) { // as before
        roll_back();
        trouble_.give_room();
    }
}

void writer::watch_log(int pages)
{
    if (pages >= long_log)
        checkpointer_.ask();
    log_too_long_ = pages >= too_long_log;
}

} // namespace agentd::store
