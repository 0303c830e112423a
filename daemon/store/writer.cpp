#include "store/writer.hpp"

#include "base/log.hpp"
#include "store/fail_point.hpp"
#include "store/refusal.hpp"
#include "store/thread.hpp"

#include <utility>

namespace agentd::store {
namespace {

// Pages in the write-ahead log from which it is copied into the database / from which the
// writer waits for that, since under steady load the log is never idle.
constexpr int long_log = 1000;       // 4 MiB
constexpr int too_long_log = 16'000; // 64 MiB

} // namespace

writer::writer(std::unique_ptr<sqlite_connection> db, event_log log, const std::string& file)
    : db_(std::move(db)), log_(std::move(log)), jump_(log_.jump()), checkpointer_(file)
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

std::string writer::degraded() const
{
    const std::lock_guard lock{mutex_};
    return degraded_;
}

void writer::main()
{
    prepare_first();
    batch works;
    while (queue_.take(works, limits::store_batch,
        failing_ ? std::optional<std::chrono::milliseconds>{limits::store_probe} : std::nullopt)) {
        if (works.empty())
            probe();
        else
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
        note_outcome(to_error(e), "open");
    }
}

// Numbers that are reserved stand in the database itself soon: the log may vanish.
void writer::make_room()
{
    if (log_.make_room(*db_))
        checkpointer_.ask();
}

void writer::run_batch(batch& works)
{
    const auto failure = transact(works);
    note_outcome(failure, to_string(works.front().name));
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
    std::optional<base::error> failure;
    try {
        db_->set_synced(true);
        db_->execute("UPDATE meta SET probes = probes + 1");
    } catch (const sqlite_error& e) {
        roll_back();
        failure = to_error(e);
    }
    note_outcome(failure, "probe");
}

void writer::note_outcome(const std::optional<base::error>& failure, std::string_view what)
{
    if (failure.has_value() == failing_)
        return;
    failing_ = failure.has_value();
    if (failure)
        log::error("store.degraded", {}, "state cannot be written ({}): {}", what, failure->text);
    else
        log::info("store.recovered", {}, "state can be written again");
    const std::lock_guard lock{mutex_};
    degraded_ = failure ? failure->text : "";
}

void writer::watch_log(int pages)
{
    if (pages >= long_log)
        checkpointer_.ask();
    log_too_long_ = pages >= too_long_log;
}

} // namespace agentd::store
