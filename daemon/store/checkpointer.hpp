// Copies the write-ahead log into the database file, with its syncs, so that no commit waits
// for it. A thread and a connection of its own.
#pragma once

#include "store/sqlite.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace agentd::store {

class checkpointer {
public:
    // Throws sqlite_error.
    explicit checkpointer(const std::string& file);
    ~checkpointer();
    checkpointer(const checkpointer&) = delete;
    checkpointer& operator=(const checkpointer&) = delete;

    // Asks for a checkpoint soon. Any thread, does not wait.
    void ask();

private:
    void main();
    // False at the end.
    bool wait();

    sqlite_connection db_;
    std::mutex mutex_;
    std::condition_variable asked_;
    bool wanted_ = false;
    bool closing_ = false;
    std::jthread thread_;
};

} // namespace agentd::store
