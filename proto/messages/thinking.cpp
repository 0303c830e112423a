#include "proto/messages/thinking.hpp"

#include "proto/json/reader.hpp"
#include "proto/messages/encode.hpp"

#include <vector>

namespace agentd::proto::messages {

base::result<std::string> without_thinking(std::string_view content)
{
    const auto parsed = json::parse(content);
    if (!parsed || !parsed->root().is(json::kind::array))
        return std::unexpected(base::error{errc::bad_history, "content is no array of blocks"});
    std::vector<std::string> kept;
    for (const auto& block : parsed->root().items()) {
        const std::string* type = block.find_string("type");
        if (type == nullptr || (*type != "thinking" && *type != "redacted_thinking"))
            kept.emplace_back(block.raw());
    }
    return kept.empty() ? std::string{} : content_of(kept);
}

} // namespace agentd::proto::messages
