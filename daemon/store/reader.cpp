#include "store/reader.hpp"

#include "store/refusal.hpp"
#include "store/thread.hpp"

#include <vector>

namespace agentd::store {

reader::reader(const std::string& file) : db_(file, sqlite_connection::role::reads)
{
    thread_ = start_thread("store-read", [this] { main(); });
}

reader::~reader()
{
    queue_.close();
    thread_.join();
}

void reader::push(std::unique_ptr<unit_of_work> work)
{
    if (const auto refused = queue_.push(work))
        work->fail(refusal_error(*refused));
}

void reader::main()
{
    std::vector<std::unique_ptr<unit_of_work>> works;
    while (queue_.take(works, limits::store_batch)) {
        for (const auto& work : works)
            run(*work);
        works.clear();
    }
}

void reader::run(unit_of_work& work)
{
    std::optional<base::error> failure;
    try {
        db_.prepare("BEGIN").run();       // all its statements see one state
        static_cast<void>(work.run(db_)); // an error of its own is delivered like a value
    } catch (const sqlite_error& e) {
        failure = to_error(e);
    } catch (const std::exception& e) {
        failure = base::error{errc::failed, e.what()};
    }
    try {
        if (db_.in_transaction())
            db_.prepare("COMMIT").run();
    } catch (const sqlite_error& e) {
        failure = to_error(e);
    }
    if (failure)
        work.fail(std::move(*failure));
    else
        work.complete();
}

} // namespace agentd::store
