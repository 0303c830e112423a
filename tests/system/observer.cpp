#include "tests/system/observer.hpp"

#include <boost/json/object.hpp>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <ios>
#include <sstream>
#include <tuple>

namespace agentd::testing {
namespace {

constexpr const char* inside_variable = "AGENTD_TEST_INSIDE";

bool has_namespaces()
{
    program try_it;
    try_it.argv = {"/usr/bin/unshare", "--pid", "--fork", "--mount-proc", "true"};
    try_it.env = {{"PATH", "/usr/bin:/bin"}};
    try_it.stderr_file = "/dev/null";
    return process{try_it}.wait(patience()) == 0;
}

// Runs this very case once more as the only program of a new PID namespace.
void run_again_inside()
{
    std::string name = doctest::getContextOptions()->currentTest->m_name;
    std::ranges::replace(name, ',', '?'); // which would begin a second name; this stands for any
    program again;
    again.argv = {"/usr/bin/unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
        "\"$@\"; exit $?", "sh", std::filesystem::read_symlink("/proc/self/exe").string(),
        "--test-case=" + name};
    again.env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {inside_variable, "1"}};
    for (const char* variable : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS",
             "ASAN_SYMBOLIZER_PATH", "AGENTD_TEST_KILLS", "AGENTD_TEST_PATIENCE",
             "AGENTD_TEST_THREADS", "AGENTD_TEST_TIMED"})
        if (const char* value = std::getenv(variable)) // NOLINT: tests set no environment
            again.env.emplace(variable, value);
    process running{again};
    const auto output = running.read_all(patience() * 4);
    CHECK_MESSAGE(running.wait(patience()).value_or(-1) == 0, output);
    CHECK_MESSAGE(output.find(" 1 passed |") != std::string::npos, output);
}

// The folder of a cgroup2 mount that root may write to; "": there is none.
std::string own_cgroup2()
{
    if (::geteuid() != 0)
        return {};
    std::istringstream mounts{read_file("/proc/self/mountinfo")};
    std::string line;
    while (std::getline(mounts, line)) {
        if (line.find(" - cgroup2 ") == line.npos)
            continue;
        std::istringstream words{line};
        std::string folder;
        for (int field = 1; field <= 5; ++field)
            words >> folder;
        if (::access(folder.c_str(), W_OK) == 0)
            return folder;
    }
    return {};
}

// Double-forked, in a session of its own, without environment, name or parent of ours.
void check_observer()
{
    const auto before = everybody();
    CHECK(before.size() >= 2); // the namespace's first process and this one
    CHECK(before.size() < 10); // and nobody else's
    REQUIRE(std::system("(env -i setsid sleep 300 &)") == 0); // NOLINT: a planted orphan
    const auto with = everybody();
    REQUIRE(with.size() == before.size() + 1);
    const auto text = difference(before, with);
    REQUIRE_MESSAGE(text.starts_with("new: "), text);
    for (const auto& one : with)
        if (!before.contains(one))
            ::kill(one.pid, SIGKILL);
    REQUIRE(difference_when_reaped(before).empty());
}

} // namespace

void inside(const std::function<void()>& body)
{
    if (std::getenv(inside_variable) != nullptr) { // NOLINT: tests set no environment
        check_observer();
        body();
    } else if (has_namespaces()) {
        run_again_inside();
    } else {
        std::puts("SKIP: this user may not make PID namespaces");
    }
}

bool seen::operator<(const seen& other) const
{
    return std::tie(pid, start) < std::tie(other.pid, other.start);
}

namespace {

// "" of a process that ends while it is read.
std::string stat_of(const std::string& pid)
{
    try {
        return read_file("/proc/" + pid + "/stat");
    } catch (const std::ios_base::failure&) {
        return {};
    }
}

} // namespace

census everybody()
{
    census all;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
        const auto name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != name.npos)
            continue;
        const auto stat = stat_of(name);
        const auto name_end = stat.rfind(')');
        if (name_end == stat.npos)
            continue;
        std::istringstream rest{stat.substr(name_end + 1)};
        std::string word;
        for (int field = 3; field <= 22; ++field)
            rest >> word;
        int pid = 0;
        std::from_chars(name.data(), name.data() + name.size(), pid);
        all.insert({pid, word, stat});
    }
    return all;
}

std::string difference(const census& before, const census& after)
{
    std::string text;
    for (const auto& one : after)
        if (!before.contains(one))
            text += "new: " + one.what;
    for (const auto& one : before)
        if (!after.contains(one))
            text += "gone: " + one.what;
    return text;
}

int watcher_of(int daemon)
{
    const auto parent = fmt::format(" {} ", daemon); // "PID (agentd-watch) S PARENT ..."
    for (const auto& one : everybody())
        if (const auto at = one.what.find("(agentd-watch) "); at != one.what.npos)
            if (one.what.find(parent, at) == at + std::string_view{"(agentd-watch) S"}.size())
                return one.pid;
    return 0;
}

census without(census all, int daemon)
{
    const int watcher = watcher_of(daemon);
    std::erase_if(all,
        [daemon, watcher](const seen& one) { return one.pid == daemon || one.pid == watcher; });
    return all;
}

std::string difference_when_reaped(const census& expected, int beside)
{
    const auto until = std::chrono::steady_clock::now() + patience();
    for (;;) {
        auto after = beside == 0 ? everybody() : without(everybody(), beside);
        std::erase_if(
            after, [](const seen& one) { return one.what.find(") Z ") != one.what.npos; });
        if (difference(expected, after).empty() || std::chrono::steady_clock::now() >= until)
            return difference(expected, after);
    }
}

cgroup_setting::cgroup_setting(std::string_view means) : value_(means)
{
    const auto mount = own_cgroup2();
    if (value_ != "auto" || mount.empty() || ::access("/run/systemd/system", F_OK) != 0)
        return;
    static int number = 0;
    value_ = fmt::format("{}/agentd-test-{}.{}", mount, ::getpid(), ++number);
    REQUIRE(std::filesystem::create_directory(value_));
}

cgroup_setting::~cgroup_setting()
{
    std::error_code ignored;
    if (value_.starts_with('/'))
        std::filesystem::remove(value_, ignored);
}

void skip_without_groups(std::string_view reason)
{
    REQUIRE_MESSAGE(own_cgroup2().empty(), "no control groups: " << reason);
    std::puts(fmt::format("SKIP: no control groups: {}", reason).c_str());
}

bool check_means(world& w, std::string_view asked)
{
    const auto info = w.json(200, "GET", "/v1/info").as_object();
    const auto& how = info.at("supervision").as_object();
    const auto& means = how.at("means").as_string();
    if (asked == "off") {
        CHECK(means == "subreaper");
        CHECK(how.at("path").is_null());
    } else if (means != "cgroup") {
        skip_without_groups(std::string{how.at("reason").as_string()});
        return false;
    } else {
        CHECK(std::filesystem::is_directory(std::string{how.at("path").as_string()}));
    }
    return true;
}

void with_each_means(const std::string& scenario, const std::string& config,
    const std::function<void(world&, const census&)>& test)
{
    for (const std::string means : {"off", "auto"}) {
        CAPTURE(means);
        const cgroup_setting setting{means};
        world w{{.scenario = scenario,
            .config = fmt::format(
                "wake_window_ms = 10\n[jobs]\ncgroup = \"{}\"\n{}", setting.value(), config)}};
        if (!check_means(w, means))
            continue;
        const auto before = everybody();
        test(w, before);
        const auto log = w.log();
        CHECK(w.stop_daemon(SIGTERM) == 0);
        if (const auto at = log.find("cgroup in /"); at != log.npos) {
            const auto path = log.substr(at + 10, log.find_first_of(":\"", at) - at - 10);
            CHECK_MESSAGE(!std::filesystem::exists(path), path);
        }
    }
}

} // namespace agentd::testing
