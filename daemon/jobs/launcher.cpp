#include "jobs/launcher.hpp"

#include "base/limits.hpp"
#include "jobs/clone_child.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <span>
#include <string_view>

namespace agentd::jobs {

using namespace std::chrono_literals;

namespace {

constexpr const char* shell = "/bin/sh";
constexpr int first_free = 3; // 0, 1 and 2 are the child's

// What the pipes and /dev/null are for; `null` is later the second pidfd, which therefore
// cannot fail for want of descriptors.
// With a terminal `reader` and `feeder` are our side of it, the other two the command's.
struct descriptors {
    base::unique_fd null;
    base::unique_fd reader, writer; // of its output
    base::unique_fd feeder, input;  // of its stdin, or none: then that is /dev/null

    [[nodiscard]] int child_input() const { return input ? input.get() : null.get(); }
};

base::unique_fd above_stdio(base::unique_fd fd)
{
    if (fd.get() >= first_free || !fd)
        return fd;
    return base::unique_fd{::fcntl(fd.get(), F_DUPFD_CLOEXEC, first_free)};
}

// Ours is non-blocking, and that alone: the commands have an ordinary, blocking pipe.
enum class our_end { reading, writing };

// False: errno says why.
bool open_pipe(base::unique_fd& reader, base::unique_fd& writer, our_end ours)
{
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return false;
    reader = above_stdio(base::unique_fd{ends[0]});
    writer = above_stdio(base::unique_fd{ends[1]});
    if (!reader || !writer)
        return false;
    const int own = ours == our_end::reading ? reader.get() : writer.get();
    return ::fcntl(own, F_SETFL, O_NONBLOCK) == 0;
}

// A terminal of 80 columns and 24 lines with the kernel's usual line discipline: it echoes, ends
// lines, and makes signals of control characters. TIOCGPTPEER opens the command's side without
// a path, so that it need not be mounted here. False: errno says why.
bool open_terminal(descriptors& into)
{
    into.reader = above_stdio(base::unique_fd{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)});
    if (!into.reader || ::unlockpt(into.reader.get()) != 0)
        return false;
    into.writer = above_stdio(
        base::unique_fd{::ioctl(into.reader.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)});
    constexpr winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
    if (!into.writer || ::ioctl(into.reader.get(), TIOCSWINSZ, &size) != 0)
        return false;
    const auto again = [](const base::unique_fd& fd) {
        return base::unique_fd{::fcntl(fd.get(), F_DUPFD_CLOEXEC, first_free)};
    };
    into.feeder = again(into.reader);
    into.input = again(into.writer);
    return into.feeder && into.input &&
        ::fcntl(into.reader.get(), F_SETFL, O_RDWR | O_NONBLOCK) == 0;
}

base::result<descriptors> open_descriptors(input wanted)
{
    descriptors made;
    made.null = above_stdio(base::unique_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)});
    if (!made.null)
        return std::unexpected(base::system_error("open /dev/null", errno));
    if (wanted == input::terminal && !open_terminal(made))
        return std::unexpected(base::system_error("make a terminal", errno));
    if (wanted == input::terminal)
        return made;
    if (!open_pipe(made.reader, made.writer, our_end::reading))
        return std::unexpected(base::system_error("make a pipe", errno));
    if (wanted == input::pipe && !open_pipe(made.input, made.feeder, our_end::writing))
        return std::unexpected(base::system_error("make a pipe for stdin", errno));
    return made;
}

// A folder that was removed can still be entered, but nothing can be done in it.
base::result<> check_workdir(int fd)
{
    struct stat about{};
    if (::fstat(fd, &about) != 0)
        return std::unexpected(base::system_error("enter the workspace", errno));
    if (!S_ISDIR(about.st_mode))
        return std::unexpected(base::system_error("enter the workspace", ENOTDIR));
    if (about.st_nlink == 0)
        return std::unexpected(base::system_error("enter the workspace", ENOENT));
    return {};
}

base::result<> check_text(const launch_plan& plan)
{
    const auto has_nul = [](const std::string& text) { return text.find('\0') != text.npos; };
    if (has_nul(plan.text))
        return std::unexpected(base::error{std::make_error_code(std::errc::invalid_argument),
            "cannot run a command that contains a NUL"});
    if (std::ranges::any_of(plan.env, has_nul))
        return std::unexpected(base::error{std::make_error_code(std::errc::invalid_argument),
            "cannot run a command with a NUL in its environment"});
    return {};
}

// More willing to die for want of memory than the daemon is.
std::string raised_oom_score()
{
    std::array<char, 16> text{};
    const base::unique_fd own{::open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC)};
    const auto n = own ? ::read(own.get(), text.data(), text.size()) : 0;
    int score = 0;
    if (n > 0)
        std::from_chars(text.data(), text.data() + n, score);
    return std::to_string(std::min(score + limits::job_oom_raise, limits::oom_score_highest));
}

// Under a process that is not dumpable and not root, the child could not do it itself; and it is
// not ours either for the moment in which the shell is being put in its place.
void raise_oom_score_of(pid_t pid, std::string_view score)
{
    constexpr int most_tries = 300; // less than a millisecond, as with environments
    const auto path = fmt::format("/proc/{}/oom_score_adj", pid);
    for (int i = 0; i < most_tries; ++i) {
        const base::unique_fd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
        if (file && ::write(file.get(), score.data(), score.size()) > 0)
            return;
        if (errno != EACCES)
            return;
        ::sched_yield();
    }
}

// Of processes or memory: what the leaf's own bounds may say, which nobody is to get around.
bool is_shortage(int number)
{
    return number == EAGAIN || number == ENOMEM;
}

void reap(pid_t pid)
{
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
}

// Makes `fd` the second pidfd of the child, or ends the child.
base::result<> watch_through(base::unique_fd fd, launched& child)
{
    child.watch = std::move(fd);
    if (::dup3(child.pidfd.get(), child.watch.get(), O_CLOEXEC) >= 0)
        return {};
    auto why = base::system_error("watch the process", errno);
    ::kill(-child.id.pid, SIGKILL); // who has left the group is found by the mark
    reap(child.id.pid);
    return std::unexpected(std::move(why));
}

base::error failure_of(child_step step, int number)
{
    switch (step) {
    case child_step::session: return base::system_error("start a session", number);
    case child_step::workdir: return base::system_error("enter the workspace", number);
    case child_step::limits: return base::system_error("limit the process", number);
    case child_step::terminal: return base::system_error("take the terminal", number);
    case child_step::output: return base::system_error("connect the output", number);
    case child_step::exec: break;
    }
    return base::system_error(fmt::format("run {}", shell), number);
}

// The counters behind it are summed up in batches, so that two readings may differ a little.
std::int64_t own_peak()
{
    constexpr std::int64_t kib = 1024;
    constexpr std::int64_t difference = std::int64_t{1} << 20;
    rusage own{};
    ::getrusage(RUSAGE_SELF, &own);
    return own.ru_maxrss * kib + difference;
}

struct born_in {
    birth process;
    int cgroup_error = 0; // of the leaf that refused it
};

// In its leaf; where agentd is, if that refuses it and may be done without.
base::result<born_in> give_birth(child_orders& orders, const launch_plan& plan)
{
    born_in made{.process = clone_child(orders, plan.cgroup_fd)};
    const auto failed = [&made] { return made.process.pid < 0; };
    if (failed() && plan.cgroup_fd >= 0 && !is_shortage(made.process.error)) {
        made.cgroup_error = made.process.error;
        if (plan.only_in_cgroup)
            return std::unexpected(
                base::system_error("start the command in its control group", made.cgroup_error));
        made.process = clone_child(orders, -1);
    }
    if (failed())
        return std::unexpected(base::system_error("start a process", made.process.error));
    return made;
}

} // namespace

base::result<launched> launch(const launch_plan& plan)
{
    if (auto fits = check_text(plan); !fits)
        return std::unexpected(std::move(fits.error()));
    if (auto there = check_workdir(plan.workdir_fd); !there)
        return std::unexpected(std::move(there.error()));
    auto fds = open_descriptors(plan.input);
    if (!fds)
        return std::unexpected(std::move(fds.error()));

    static const std::string oom_score = raised_oom_score();
    const std::array<const char*, 4> argv{shell, "-c", plan.text.c_str(), nullptr};
    std::vector<const char*> envp;
    envp.reserve(plan.env.size() + 1);
    for (const auto& entry : plan.env)
        envp.push_back(entry.c_str());
    envp.push_back(nullptr);

    child_orders orders{
        .path = shell,
        .argv = argv.data(),
        .envp = envp.data(),
        .workdir_fd = plan.workdir_fd,
        .input_fd = fds->child_input(),
        .output_fd = fds->writer.get(),
        .takes_terminal = plan.input == input::terminal,
        .oom_score = oom_score.c_str(),
        .oom_score_size = oom_score.size(),
        .mark = plan.mark,
        .sets_descriptor_limit = plan.descriptor_limit.has_value(),
        .descriptor_limit = plan.descriptor_limit.value_or(0),
        .cpu_seconds = static_cast<std::uint64_t>(plan.cpu_limit.value_or(0s).count()),
        .file_bytes = plan.file_limit,
    };
    auto born = give_birth(orders, plan);
    if (!born)
        return std::unexpected(std::move(born.error()));

    launched child;
    child.id = {.pid = born->process.pid, .mark = plan.mark};
    child.cgroup_error = born->cgroup_error;
    child.inherited_peak = own_peak();
    child.pidfd.reset(born->process.pidfd);
    if (orders.error != 0) { // it has exited or is about to: this does not wait for anything else
        reap(child.id.pid);
        return std::unexpected(failure_of(orders.step, orders.error));
    }
    if (auto watched = watch_through(std::move(fds->null), child); !watched)
        return std::unexpected(std::move(watched.error()));
    if (!orders.oom_score_set)
        raise_oom_score_of(child.id.pid, oom_score);
    child.output = std::move(fds->reader);
    child.input = std::move(fds->feeder);
    if (plan.input == input::terminal)
        child.terminal = std::move(fds->input);
    return child;
}

} // namespace agentd::jobs
