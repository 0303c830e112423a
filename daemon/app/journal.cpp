#include "app/journal.hpp"

#include <fmt/format.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include <sys/stat.h>
#include <sys/uio.h>

#include <cstdlib>

namespace agentd::app {
namespace {

// syslog's numbers, as the journal wants them.
int priority(log::level severity)
{
    switch (severity) {
    case log::level::error: return 3;
    case log::level::warning: return 4;
    case log::level::info: return 6;
    case log::level::debug: return 7;
    }
    return 6;
}

// A field name of the journal: upper case, no leading underscore.
std::string upper(std::string_view name)
{
    std::string out{name};
    for (char& c : out) {
        if (c >= 'a' && c <= 'z')
            c = static_cast<char>(c - 'a' + 'A');
        else if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9'))
            c = '_';
    }
    return out;
}

std::string text_of(const log::value& value)
{
    if (const auto* text = std::get_if<std::string_view>(&value))
        return std::string{*text};
    if (const auto* whole = std::get_if<std::int64_t>(&value))
        return fmt::format("{}", *whole);
    return fmt::format("{:.3f}", std::get<double>(value));
}

class journal_backend final : public log::backend {
public:
    void write(const log::record& what) override
    {
        auto fields = journal_fields(what);
        std::vector<iovec> parts;
        parts.reserve(fields.size());
        for (auto& field : fields)
            parts.push_back({field.data(), field.size()});
        (void)::sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
    }
};

} // namespace

bool stderr_is_journal()
{
    const char* named = std::getenv("JOURNAL_STREAM");
    struct stat is{};
    if (named == nullptr || ::fstat(2, &is) != 0)
        return false;
    return std::string_view{named} == fmt::format("{}:{}", is.st_dev, is.st_ino);
}

std::unique_ptr<log::backend> journal()
{
    return std::make_unique<journal_backend>();
}

std::vector<std::string> journal_fields(const log::record& what)
{
    std::vector<std::string> out;
    out.push_back(fmt::format("MESSAGE={}", what.message));
    out.push_back(fmt::format("PRIORITY={}", priority(what.severity)));
    out.emplace_back("SYSLOG_IDENTIFIER=agentd");
    out.push_back(fmt::format("EVENT={}", what.event));
    if (!what.about.session_id.empty())
        out.push_back(fmt::format("SESSION_ID={}", what.about.session_id));
    if (!what.about.task_id.empty())
        out.push_back(fmt::format("TASK_ID={}", what.about.task_id));
    if (!what.about.job_id.empty())
        out.push_back(fmt::format("JOB_ID={}", what.about.job_id));
    for (const auto& [name, value] : what.figures)
        out.push_back(fmt::format("{}={}", upper(name), text_of(value)));
    return out;
}

} // namespace agentd::app
