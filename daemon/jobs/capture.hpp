// The output of a foreground command: its beginning and its end in memory. Never full.
// On the strand of the command.
#pragma once

#include "jobs/head_tail.hpp"
#include "jobs/output_sink.hpp"

namespace agentd::jobs {

class capture final : public output_sink {
public:
    capture();

    std::span<char> room() override;
    void commit(std::size_t bytes) override;
    aio::awaitable<> wait_for_room() override;

    [[nodiscard]] const head_tail& kept() const { return kept_; }

private:
    head_tail kept_;
};

} // namespace agentd::jobs
