// The tool `write_background`: writes to the stdin of a job that asked for one. On the session's
// strand.
#pragma once

#include "tools/tool.hpp"

namespace agentd::tools {

class write_background final : public tool {
public:
    [[nodiscard]] std::string_view name() const override { return "write_background"; }
    [[nodiscard]] std::string_view definition() const override;
    [[nodiscard]] aio::awaitable<answer> run(call what, context& with) const override;
};

} // namespace agentd::tools
