// Chance, so that those who failed together do not come back together. Nothing depends on its
// quality. Any thread.
#pragma once

#include <random>

namespace agentd::model {

// In [0, 1).
[[nodiscard]] inline double random_share()
{
    thread_local std::minstd_rand generator{std::random_device{}()};
    return std::uniform_real_distribution<double>{0, 1}(generator);
}

} // namespace agentd::model
