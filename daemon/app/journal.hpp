// Log records as native journal fields, where stderr is the journal's. See base/log.hpp.
#pragma once

#include "base/log.hpp"

#include <memory>
#include <string>
#include <vector>

namespace agentd::app {

// True if stderr goes to the journal (JOURNAL_STREAM names it).
[[nodiscard]] bool stderr_is_journal();

// Writes by sd_journal_sendv.
[[nodiscard]] std::unique_ptr<log::backend> journal();

// The fields of a record, each NAME=VALUE: MESSAGE, PRIORITY, EVENT, SESSION_ID, ... and the
// figures with their names in upper case.
[[nodiscard]] std::vector<std::string> journal_fields(const log::record& what);

} // namespace agentd::app
