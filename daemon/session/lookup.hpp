// Finding the thing that a caller means: whole ids and prefixes, among what he may see.
// On the store's threads, inside a transaction.
#pragma once

#include "base/error.hpp"
#include "session/caller.hpp"
#include "session/service.hpp"
#include "store/jobs.hpp"
#include "store/sessions.hpp"
#include "store/tasks.hpp"

#include <string>

namespace agentd::session::lookup {

// Errors of all: bad_id, not_found, ambiguous_id (its text ends with up to 10 candidates,
// separated by ", ").
[[nodiscard]] base::result<store::tasks::row> task(
    store::connection& db, const caller& who, const std::string& id);
[[nodiscard]] base::result<store::sessions::row> session(
    store::connection& db, const caller& who, const std::string& id);
[[nodiscard]] base::result<store::jobs::row> job(
    store::connection& db, const caller& who, const std::string& id);

} // namespace agentd::session::lookup
