// The tool `edit_file`: replaces the first exact occurrence of a text in a file. On the
// session's strand; the disk is read and written by the blocking pool.
#pragma once

#include "tools/tool.hpp"

namespace agentd::tools {

class edit_file final : public tool {
public:
    [[nodiscard]] std::string_view name() const override { return "edit_file"; }
    [[nodiscard]] std::string_view definition() const override;
    [[nodiscard]] bool is_barrier() const override { return true; }
    [[nodiscard]] aio::awaitable<answer> run(call what, context& with) const override;
};

} // namespace agentd::tools
