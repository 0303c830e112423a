#include "app/notify.hpp"

#include "app/errc.hpp"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

namespace agentd::app {
namespace {

void tell(const std::string& state)
{
    (void)::sd_notify(0, state.c_str()); // nobody to tell, or nobody listening: all the same
}

struct free_names {
    char** names = nullptr;
    ~free_names()
    {
        for (char** name = names; name != nullptr && *name != nullptr; ++name)
            std::free(*name);
        std::free(static_cast<void*>(names));
    }
};

} // namespace

void notify_ready(std::string_view status)
{
    tell(fmt::format("READY=1\nSTATUS={}", status));
}

void notify_status(std::string_view status)
{
    tell(fmt::format("STATUS={}", status));
}

void notify_reloading()
{
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const auto usec = static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
    tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", usec));
}

void notify_stopping(std::string_view status)
{
    tell(fmt::format("STOPPING=1\nSTATUS={}", status));
}

void notify_watchdog()
{
    tell("WATCHDOG=1");
}

std::optional<std::chrono::milliseconds> watchdog_interval()
{
    std::uint64_t usec = 0;
    if (::sd_watchdog_enabled(0, &usec) <= 0)
        return std::nullopt;
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::microseconds{usec}) /
        2;
}

base::result<base::unique_fd> passed_socket()
{
    free_names named;
    const int count = ::sd_listen_fds_with_names(1, &named.names); // sets close-on-exec
    if (count < 0)
        return std::unexpected(base::system_error("take the passed sockets", -count));
    std::vector<base::unique_fd> all;
    all.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i)
        all.emplace_back(SD_LISTEN_FDS_START + i);
    base::unique_fd chosen;
    for (std::size_t i = 0; i < all.size(); ++i)
        if (!chosen && (count == 1 || std::string_view{named.names[i]} == "api"))
            chosen = std::move(all[i]);
    if (count > 0 && !chosen)
        return std::unexpected(base::error{errc::bad_config,
            fmt::format("{} sockets were passed, none of them named api", count)});
    return chosen;
}

} // namespace agentd::app
