// The tool `bash`: a command that the call waits for. On the session's strand; the command's
// life is jobs::foreground's.
#pragma once

#include "tools/tool.hpp"

namespace agentd::tools {

class bash final : public tool {
public:
    [[nodiscard]] std::string_view name() const override { return "bash"; }
    [[nodiscard]] std::string_view definition() const override;
    [[nodiscard]] aio::awaitable<answer> run(call what, context& with) const override;
};

} // namespace agentd::tools
