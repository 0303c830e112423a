#include "tests/system/vitals.hpp"

#include "base/limits.hpp"
#include "tests/support/harness/process.hpp"

#include <cctype>
#include <charconv>
#include <filesystem>
#include <iterator>

namespace agentd::testing {
namespace {

namespace fs = std::filesystem;

// Connections to the model that may be kept for later.
constexpr auto kept_connections = static_cast<int>(limits::idle_connections);

// Runs `see(folder)` for each process there is.
template <class See>
void each_process(See see)
{
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator{"/proc", gone})
        if (std::isdigit(static_cast<unsigned char>(entry.path().filename().string().front())) != 0)
            see(entry.path().string());
}

} // namespace

std::vector<std::string> children_of(pid_t parent)
{
    std::vector<std::string> found;
    each_process([&](const std::string& folder) {
        const auto stat = read_file(folder + "/stat"); // PID (NAME) STATE PPID ...
        const auto name_end = stat.rfind(") ");
        if (name_end != std::string::npos &&
            stat.substr(name_end + 4).starts_with(std::to_string(parent) + " ") &&
            stat.find("(agentd-watch)") == std::string::npos)
            found.push_back(stat);
    });
    return found;
}

std::vector<std::string> processes_with(const std::string& marker)
{
    std::vector<std::string> found;
    each_process([&](const std::string& folder) {
        if (read_file(folder + "/environ").find(marker) != std::string::npos)
            found.push_back(read_file(folder + "/cmdline"));
    });
    return found;
}

open_files open_of(pid_t pid)
{
    open_files kinds;
    std::error_code denied;
    for (const auto& entry :
        fs::directory_iterator{"/proc/" + std::to_string(pid) + "/fd", denied}) {
        std::error_code closed;
        const auto what = fs::read_symlink(entry.path(), closed).string();
        const auto cut = what.starts_with("socket:") || what.starts_with("pipe:");
        if (!closed)
            ++kinds[cut ? what.substr(0, what.find(':')) : what];
    }
    return kinds;
}

std::string more_open(const open_files& before, const open_files& now)
{
    std::string all;
    for (const auto& [what, count] : now) {
        const auto found = before.find(what);
        const int had = found == before.end() ? 0 : found->second;
        if (count > had + (what == "socket" ? kept_connections : 0))
            all += what + " " + std::to_string(count) + ", before " + std::to_string(had) + "\n";
    }
    return all;
}

std::size_t threads_of(pid_t pid)
{
    const fs::directory_iterator all{"/proc/" + std::to_string(pid) + "/task"};
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

long anonymous_kib(pid_t pid)
{
    const auto text = read_file("/proc/" + std::to_string(pid) + "/status");
    const auto at = text.find("\nRssAnon:");
    const auto digits = text.find_first_of("0123456789", at);
    long number = 0;
    if (at != text.npos && digits != text.npos)
        std::from_chars(text.data() + digits, text.data() + text.size(), number);
    return number;
}

} // namespace agentd::testing
