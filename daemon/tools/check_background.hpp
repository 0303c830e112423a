// The tool `check_background`: how jobs are doing and what they have printed, live. On the
// session's strand.
#pragma once

#include "tools/tool.hpp"

namespace agentd::tools {

class check_background final : public tool {
public:
    [[nodiscard]] std::string_view name() const override { return "check_background"; }
    [[nodiscard]] std::string_view definition() const override;
    [[nodiscard]] aio::awaitable<answer> run(call what, context& with) const override;
};

} // namespace agentd::tools
