// A submission on its way into the store: everything that is checked and written for it in
// one transaction. On the store's writing thread.
#pragma once

#include "session/environment.hpp"
#include "session/service.hpp"
#include "session/workdir.hpp"
#include "store/connection.hpp"
#include "store/idempotency.hpp"

namespace agentd::session {

struct submission {
    caller who;
    proto::api::submit_request what;
    std::optional<idempotency_key> key;
    std::shared_ptr<const agentd::session::settings> rules;
    const tools::registry* tools = nullptr;
    found_workdir workdir; // of a new session, its id with it
};

struct stored_submission {
    std::string answer;
    base::task_id task;
    base::session_id session;
    bool new_session = false;
};

// Errors: invalid_field, not_found, ambiguous_id, too_many_tasks, key_reused.
[[nodiscard]] base::result<stored_submission> store_submission(
    store::connection& db, const submission& what);

// What an earlier call with the same key was answered; nullopt: there was none, or no key.
// Errors: key_reused.
[[nodiscard]] base::result<std::optional<store::idempotency::row>> earlier_answer(
    store::connection& db, const caller& who, const std::optional<idempotency_key>& key);
void remember_answer(store::connection& db, const caller& who,
    const std::optional<idempotency_key>& key, const submitted& answer);

} // namespace agentd::session
