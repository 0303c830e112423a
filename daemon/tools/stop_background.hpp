// The tool `stop_background`: ends a job with its whole tree. On the session's strand.
#pragma once

#include "tools/tool.hpp"

namespace agentd::tools {

class stop_background final : public tool {
public:
    [[nodiscard]] std::string_view name() const override { return "stop_background"; }
    [[nodiscard]] std::string_view definition() const override;
    [[nodiscard]] aio::awaitable<answer> run(call what, context& with) const override;
};

} // namespace agentd::tools
