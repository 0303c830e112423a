#include "tests/system/tracer.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <sstream>

namespace agentd::testing {
namespace {

constexpr const char* strace_path = "/usr/bin/strace";

// "pipe2:error=EMFILE:when=1" -> "pipe2"
std::string call_of(const std::string& inject)
{
    return inject.substr(0, inject.find(':'));
}

// The loop's thread is the first one; those of pools have its name, unlike the store's: one
// commits, one copies the write-ahead log.
bool is_wanted(const std::string& name, const std::string& of_loop, traced whose)
{
    return whose == traced::pool ? name == of_loop
                                 : name == "store-write\n" || name == "store-log\n";
}

std::vector<std::string> threads_of(pid_t daemon, traced whose)
{
    const auto first = std::to_string(daemon);
    if (whose != traced::pool && whose != traced::store)
        return {first};
    const auto folder = "/proc/" + first + "/task";
    const auto name = read_file(folder + "/" + first + "/comm");
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator{folder}) {
        const auto thread = entry.path().filename().string();
        if (thread != first && is_wanted(read_file(folder + "/" + thread + "/comm"), name, whose))
            found.push_back(thread);
    }
    return found;
}

bool is_traced(const std::string& thread)
{
    const auto status = read_file("/proc/" + thread + "/status");
    const auto at = status.find("TracerPid:\t");
    return at != status.npos && status[at + 11] != '0';
}

} // namespace

tracer::tracer(pid_t daemon, const faults& what, std::string log_file)
    : log_file_(std::move(log_file))
{
    if (!std::filesystem::exists(strace_path)) {
        refusal_ = "strace is not installed";
        return;
    }
    std::filesystem::remove(log_file_);
    const auto threads = threads_of(daemon, what.whose);
    std::string calls;
    for (const auto& one : what.inject)
        calls += (calls.empty() ? "" : ",") + call_of(one);
    program strace;
    strace.argv = {strace_path, "-o", log_file_, "-e", "trace=" + calls};
    for (const auto& one : what.inject)
        strace.argv.insert(strace.argv.end(), {"-e", "inject=" + one});
    for (const auto& path : what.paths)
        strace.argv.insert(strace.argv.end(), {"-P", path});
    if (what.whose == traced::children)
        strace.argv.emplace_back("-f");
    for (const auto& thread : threads)
        strace.argv.insert(strace.argv.end(), {"-p", thread});
    strace.env = {{"PATH", "/usr/bin:/bin"}};
    strace.stderr_file = log_file_ + ".err";
    strace_ = std::make_unique<process>(strace);
    const auto until = std::chrono::steady_clock::now() + patience();
    for (const auto& thread : threads)
        while (!is_traced(thread)) {
            const bool ended = strace_->wait(std::chrono::milliseconds{1}).has_value();
            if (ended || std::chrono::steady_clock::now() >= until) {
                refusal_ = "strace cannot trace agentd: " + read_file(log_file_ + ".err");
                return;
            }
        }
}

std::string tracer::failed() const
{
    std::string all;
    std::istringstream log{read_file(log_file_)};
    for (std::string line; std::getline(log, line);)
        if (line.find("(INJECTED)") != line.npos)
            all += line + "\n";
    return all;
}

void tracer::detach()
{
    strace_->signal(SIGINT);
    static_cast<void>(strace_->wait(patience()));
}

} // namespace agentd::testing
