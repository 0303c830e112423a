#include "base/log.hpp"

#include "base/text.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <sys/stat.h>

#include <atomic>
#include <mutex>

namespace agentd::log {
namespace {

constexpr std::string_view level_names[] = {"debug", "info", "warning", "error"};

void append_string(std::string& out, std::string_view text)
{
    out.push_back('"');
    for (const char c : text) {
        const auto u = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            out.append({'\\', c});
        else if (u < 0x20)
            out.append(fmt::format("\\u{:04x}", u));
        else
            out.push_back(c);
    }
    out.push_back('"');
}

void append_member(std::string& out, std::string_view key, std::string_view text)
{
    out.append(out.size() > 1 ? ",\"" : "\"").append(key).append("\":");
    // A log line is always valid UTF-8, whatever an error text quotes.
    base::is_utf8(text) ? append_string(out, text) : append_string(out, base::printable(text));
}

void append_figure(std::string& out, const field& f)
{
    if (const auto* text = std::get_if<std::string_view>(&f.second))
        return append_member(out, f.first, *text);
    out.append(",\"").append(f.first).append("\":");
    if (const auto* whole = std::get_if<std::int64_t>(&f.second))
        out.append(fmt::format("{}", *whole));
    else
        out.append(fmt::format("{:.3f}", std::get<double>(f.second)));
}

// Lines are whole JSON objects already; spdlog only has to write them.
class json_backend final : public backend {
public:
    explicit json_backend(std::string path) : path_(std::move(path)) { open(); }

    void write(const record& what) override
    {
        logger_->log(what.severity == level::error ? spdlog::level::err : spdlog::level::info,
            spdlog::string_view_t{to_json(what)});
    }
    void reopen() override
    {
        if (!path_.empty())
            open();
    }

private:
    void open()
    {
        spdlog::sink_ptr sink;
        if (!path_.empty()) {
            const auto mask = ::umask(0077);
            try { // spdlog tells of a file that cannot be opened by an exception alone
                sink = std::make_shared<spdlog::sinks::basic_file_sink_st>(path_);
            } catch (const spdlog::spdlog_ex& e) {
                failure_ = e.what();
            }
            ::umask(mask);
        }
        const bool fell_back = !path_.empty() && !sink;
        if (!sink)
            sink = std::make_shared<spdlog::sinks::stderr_sink_st>();
        sink->set_formatter(std::make_unique<spdlog::pattern_formatter>("%v"));
        logger_ = std::make_unique<spdlog::logger>("agentd", std::move(sink));
        logger_->set_level(spdlog::level::trace);
        logger_->flush_on(spdlog::level::trace);
        if (fell_back)
            write({level::error, base::wall_now(), "log.unavailable",
                fmt::format("cannot open log file {}: {}", path_, failure_), {}, {}});
    }

    std::string path_;
    std::string failure_;
    std::unique_ptr<spdlog::logger> logger_;
};

struct output {
    std::mutex one_at_a_time;
    std::unique_ptr<backend> to = json_lines({});
    std::atomic<level> lowest = level::info;
};

output& current()
{
    static output instance;
    return instance;
}

} // namespace

std::unique_ptr<backend> json_lines(const std::string& path)
{
    return std::make_unique<json_backend>(path);
}

void set_backend(std::unique_ptr<backend> to)
{
    const std::lock_guard lock{current().one_at_a_time};
    current().to = std::move(to);
}

void set_level(level lowest)
{
    current().lowest = lowest;
}

bool enabled(level severity)
{
    return severity >= current().lowest.load(std::memory_order_relaxed);
}

void reopen()
{
    const std::lock_guard lock{current().one_at_a_time};
    current().to->reopen();
}

std::string to_json(const record& what)
{
    std::string out{"{"};
    append_member(out, "ts", base::to_rfc3339(what.time));
    append_member(out, "level", level_names[static_cast<std::size_t>(what.severity)]);
    append_member(out, "event", what.event);
    append_member(out, "msg", what.message);
    if (!what.about.session_id.empty())
        append_member(out, "session_id", what.about.session_id);
    if (!what.about.task_id.empty())
        append_member(out, "task_id", what.about.task_id);
    if (!what.about.job_id.empty())
        append_member(out, "job_id", what.about.job_id);
    for (const auto& figure : what.figures)
        append_figure(out, figure);
    out.push_back('}');
    return out;
}

void write(level severity, std::string_view event, const scope& about, std::string_view message,
    std::initializer_list<field> figures)
{
    if (!enabled(severity))
        return;
    const std::lock_guard lock{current().one_at_a_time};
    current().to->write({severity, base::wall_now(), event, message, about,
        std::span{figures.begin(), figures.size()}});
}

} // namespace agentd::log
