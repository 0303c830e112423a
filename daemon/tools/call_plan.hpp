// Which calls of one reply may start now. Calls run side by side, at most a few at once; a
// call that changes files is a barrier: it starts after all earlier ones have ended, and
// later ones start after it. Decides only; the session starts the calls and says what ended.
// On the session's strand.
#pragma once

#include "base/limits.hpp"

#include <cstddef>
#include <vector>

namespace agentd::tools {

class call_plan {
public:
    // One entry per call, in call order: whether it is a barrier.
    explicit call_plan(
        const std::vector<bool>& barriers, std::size_t at_once = limits::calls_at_once);

    // The calls to start now, by number and in call order; each is given out once.
    [[nodiscard]] std::vector<std::size_t> take_startable();
    // Call `number`, given out before, has its answer.
    void ended(std::size_t number);
    // All calls have their answers.
    [[nodiscard]] bool done() const { return ended_ == calls_.size(); }
    [[nodiscard]] std::size_t running() const { return running_; }

private:
    enum class at { waiting, running, ended };
    struct entry {
        bool barrier = false;
        at state = at::waiting;
    };

    std::vector<entry> calls_;
    std::size_t at_once_;
    std::size_t next_ = 0; // calls start in order, so the first one that has not
    std::size_t running_ = 0;
    std::size_t ended_ = 0;
};

} // namespace agentd::tools
