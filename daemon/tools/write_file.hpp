// The tool `write_file`: replaces a file or makes one. On the session's strand; the disk is
// written by the blocking pool.
#pragma once

#include "tools/tool.hpp"

namespace agentd::tools {

class write_file final : public tool {
public:
    [[nodiscard]] std::string_view name() const override { return "write_file"; }
    [[nodiscard]] std::string_view definition() const override;
    [[nodiscard]] bool is_barrier() const override { return true; }
    [[nodiscard]] aio::awaitable<answer> run(call what, context& with) const override;
};

} // namespace agentd::tools
