#include "store/checkpointer.hpp"

#include "base/log.hpp"
#include "store/thread.hpp"

#include <utility>

namespace agentd::store {

checkpointer::checkpointer(const std::string& file)
    : db_(file, sqlite_connection::role::checkpoints),
      thread_(start_thread("store-log", [this] { main(); }))
{}

checkpointer::~checkpointer()
{
    {
        const std::lock_guard lock{mutex_};
        closing_ = true;
    }
    asked_.notify_one();
    thread_.join();
}

void checkpointer::ask()
{
    {
        const std::lock_guard lock{mutex_};
        if (wanted_)
            return;
        wanted_ = true;
    }
    asked_.notify_one();
}

bool checkpointer::wait()
{
    std::unique_lock lock{mutex_};
    asked_.wait(lock, [this] { return wanted_ || closing_; });
    wanted_ = false;
    return !closing_;
}

void checkpointer::main()
{
    bool failing = false;
    while (wait()) {
        try {
            db_.checkpoint();
            failing = false;
        } catch (const sqlite_error& e) {
            // The log keeps everything; the writer says when commits fail, too.
            if (!std::exchange(failing, true))
                log::warning("store.checkpoint_failed", {}, "{}", e.what());
        }
    }
}

} // namespace agentd::store
