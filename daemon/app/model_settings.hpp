// The configuration as the model's client wants it. Pure; any thread.
#pragma once

#include "app/config.hpp"
#include "app/credential.hpp"
#include "base/error.hpp"
#include "model/options.hpp"

namespace agentd::app {

// Without a credential the client is degraded; `found` is what find_credential() gave.
[[nodiscard]] model::options model_options(
    const config& all, const base::result<credential>& found);

} // namespace agentd::app
