// The configuration as each layer wants it. Pure; any thread.
#pragma once

#include "api/options.hpp"
#include "app/startup.hpp"
#include "jobs/environment.hpp"
#include "model/options.hpp"
#include "session/environment.hpp"

namespace agentd::app {

// Without a credential the client is degraded; `found` is what find_credential() gave.
[[nodiscard]] model::options model_options(
    const config& all, const base::result<credential>& found);
[[nodiscard]] jobs::options job_options(const config& all, const startup& from);
[[nodiscard]] session::settings session_settings(const config& all, const startup& from);
// `group`: of the socket, where there is one.
[[nodiscard]] api::options api_options(const config& all, std::optional<std::uint32_t> group);

} // namespace agentd::app
