// Room on the disk that is kept for bad days: a file beside the database (agentd.db-reserve)
// that is emptied when the disk is full, so that work can still be ended and its end be stored.
// On the writing thread.
#pragma once

#include "base/unique_fd.hpp"

#include <string>

namespace agentd::store {

class reserve {
public:
    explicit reserve(const std::string& file);

    // False: the disk has no room for it.
    [[nodiscard]] bool take();
    void give_back();

private:
    base::unique_fd file_;
};

} // namespace agentd::store
