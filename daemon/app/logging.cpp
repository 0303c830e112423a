#include "app/logging.hpp"

#include "app/journal.hpp"
#include "base/log.hpp"

namespace agentd::app {
namespace {

log::level level_of(const std::string& name)
{
    if (name == "error")
        return log::level::error;
    if (name == "warning")
        return log::level::warning;
    return name == "debug" ? log::level::debug : log::level::info;
}

bool to_journal(const config& all)
{
    if (all.log.format == "journal")
        return true;
    return all.log.format == "auto" && all.log.file.empty() && stderr_is_journal();
}

} // namespace

void open_log(const config& all)
{
    log::set_level(level_of(all.log.level));
    log::set_backend(to_journal(all) ? journal() : log::json_lines(all.log.file));
}

} // namespace agentd::app
