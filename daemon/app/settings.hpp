// The configuration as each layer wants it. Pure; any thread.
#pragma once

#include "api/options.hpp"
#include "app/model_settings.hpp"
#include "app/startup.hpp"
#include "jobs/environment.hpp"
#include "session/environment.hpp"
#include "store/retention.hpp"

namespace agentd::app {

[[nodiscard]] jobs::options job_options(const config& all, const startup& from);
[[nodiscard]] store::retention_rules retention_rules(const config& all);
[[nodiscard]] session::settings session_settings(const config& all, const startup& from);
// `group`: of the socket, where there is one.
[[nodiscard]] api::options api_options(const config& all, std::optional<std::uint32_t> group);

} // namespace agentd::app
