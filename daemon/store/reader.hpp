// The reading thread: runs works on a connection of its own, which sees all that was
// committed before they were handed in and never holds up the writer (WAL).
#pragma once

#include "base/limits.hpp"
#include "store/sqlite.hpp"
#include "store/work.hpp"
#include "store/work_queue.hpp"

#include <memory>
#include <thread>

namespace agentd::store {

class reader {
public:
    // Starts the thread. Throws sqlite_error.
    explicit reader(const std::string& file);
    // Finishes what was handed in.
    ~reader();
    reader(const reader&) = delete;
    reader& operator=(const reader&) = delete;

    // Any thread. Refused works fail here.
    void push(std::unique_ptr<unit_of_work> work);

private:
    void main();
    void run(unit_of_work& work);

    sqlite_connection db_;
    work_queue<std::unique_ptr<unit_of_work>> queue_{limits::store_queue};
    std::jthread thread_;
};

} // namespace agentd::store
