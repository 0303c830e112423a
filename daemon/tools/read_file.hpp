// The tool `read_file`: a file's text, or its first lines. On the session's strand; the disk
// is read by the blocking pool, in steps.
#pragma once

#include "tools/tool.hpp"

namespace agentd::tools {

class read_file final : public tool {
public:
    [[nodiscard]] std::string_view name() const override { return "read_file"; }
    [[nodiscard]] std::string_view definition() const override;
    [[nodiscard]] bool is_exact() const override { return true; }
    [[nodiscard]] aio::awaitable<answer> run(call what, context& with) const override;
};

} // namespace agentd::tools
