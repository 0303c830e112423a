// The way to the model, as the session sees it: one call that asks until there is a complete
// reply or nothing is left to try. The provider's bytes live below, in model/anthropic/.
#pragma once

#include "aio/awaitable.hpp"
#include "model/reply.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace agentd::model {

struct options;

class client {
public:
    virtual ~client() = default;

    // Asks; retries what may be retried (DESIGN §5) and tells `told` of it. May be called from
    // any strand; `told` is called on that strand and outlives the call. Throws
    // operation_aborted when cancelled: the connection is closed at once, nothing was kept.
    virtual aio::awaitable<outcome> ask(request what, progress& told) = 0;

    // The most input tokens that `model` takes, as its server says (GET /v1/models/{id}); nothing
    // where it does not say or cannot be asked. Asked once per model and remembered, also that it
    // does not say; those who ask at once share one question. One short attempt, no retries. Any
    // strand; throws operation_aborted when cancelled.
    virtual aio::awaitable<std::optional<std::int64_t>> input_limit(std::string model)
    {
        (void)model;
        co_return std::nullopt;
    }

    // Why there can be no reply now ("no credential: ..."); empty when there can be. Any thread.
    [[nodiscard]] virtual std::string degraded() const = 0;

    // From now on asks with `fresh`; requests that run go on with what they began with. Any
    // thread. Reads the CA file. What has nothing to be told anew ignores it.
    virtual void reload(const options& fresh) { (void)fresh; }
};

} // namespace agentd::model
