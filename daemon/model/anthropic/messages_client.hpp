// The client for the Messages API: asks until there is a complete reply or nothing is left to
// try. What is tried, and when again, is decided by retry_policy; this obeys.
// `ask` runs on the caller's strand; what requests share is the origin's.
#pragma once

#include "model/client.hpp"
#include "model/options.hpp"
#include "model/origin.hpp"

#include <memory>
#include <mutex>
#include <string>

namespace agentd::model::anthropic {

class messages_client final : public client {
public:
    messages_client(aio::executor io, options what);

    aio::awaitable<outcome> ask(request what, progress& told) override;
    aio::awaitable<std::optional<std::int64_t>> input_limit(std::string model) override;
    [[nodiscard]] std::string degraded() const override;
    void reload(const options& fresh) override;

private:
    [[nodiscard]] std::shared_ptr<origin> current() const;

    aio::executor io_;
    mutable std::mutex swapping_; // of origin_ alone; held for a copy of the pointer
    std::shared_ptr<origin> origin_;
};

} // namespace agentd::model::anthropic
