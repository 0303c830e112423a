// The tool `wait_background`: goes on when jobs have ended. On the session's strand.
#pragma once

#include "tools/tool.hpp"

namespace agentd::tools {

class wait_background final : public tool {
public:
    [[nodiscard]] std::string_view name() const override { return "wait_background"; }
    [[nodiscard]] std::string_view definition() const override;
    [[nodiscard]] aio::awaitable<answer> run(call what, context& with) const override;
};

} // namespace agentd::tools
