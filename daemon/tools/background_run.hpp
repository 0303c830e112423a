// The tool `background_run`: starts a job and returns. On the session's strand.
#pragma once

#include "tools/tool.hpp"

namespace agentd::tools {

class background_run final : public tool {
public:
    [[nodiscard]] std::string_view name() const override { return "background_run"; }
    [[nodiscard]] std::string_view definition() const override;
    [[nodiscard]] aio::awaitable<answer> run(call what, context& with) const override;
};

// Starts what has been checked, and tells of it; also what `bash` does with
// run_in_background.
[[nodiscard]] aio::awaitable<answer> start_in_background(job_order what, context& with);

} // namespace agentd::tools
