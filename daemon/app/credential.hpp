// The key to the model: found once at start and again on reload, never written down. The only
// other places that hold it are the model client and its requests. One thread.
#pragma once

#include "app/environment.hpp"
#include "base/error.hpp"

#include <optional>
#include <string>

namespace agentd::app {

struct credential {
    enum class kind { api_key, bearer }; // x-api-key, or Authorization: Bearer
    kind is = kind::api_key;
    std::string value;  // never logged
    std::string source; // for people: "systemd credential", "file PATH", "environment"
};

// What the environment offered at start, before it was scrubbed: reload needs it again.
struct credential_sources {
    std::string systemd_file; // $CREDENTIALS_DIRECTORY/anthropic-api-key; empty: none
    std::optional<std::string> api_key;
    std::optional<std::string> auth_token;
};
[[nodiscard]] credential_sources credential_sources_of(const environment& env);

// The systemd credential, then `api_key_file`, then the environment. An error (errc::no_access)
// is the reason why there is none: nothing was given, or what was given cannot be used.
[[nodiscard]] base::result<credential> find_credential(
    const credential_sources& from, const std::string& api_key_file);

} // namespace agentd::app
