#include "app/run.hpp"

#include "app/daemon.hpp"
#include "app/exit_status.hpp"
#include "app/folders.hpp"
#include "app/logging.hpp"
#include "app/notify.hpp"
#include "app/online.hpp"
#include "app/options.hpp"
#include "app/process.hpp"
#include "app/settings.hpp"
#include "app/startup.hpp"
#include "app/tell_state.hpp"
#include "base/log.hpp"
#include "base/slow_step.hpp"
#include "jobs/watcher.hpp"
#include "model/options.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

namespace agentd::app {
namespace {

int complain(const base::error& why)
{
    fmt::print(stderr, "agentd: {}\n", why.text);
    return exit_status_of(why);
}

// Whether it works, in one line.
int check_online(const startup& from, const base::result<credential>& key)
{
    const auto answer = ask_online(from, key);
    if (!answer) {
        fmt::print(stderr, "agentd: {}\n", answer.error().text);
        return exit_failure;
    }
    fmt::print("{}\n", *answer);
    return 0;
}

// What is wrong, or what is in force. Secrets are not among it.
int check_config(const startup& from, bool online)
{
    const auto key = find_credential(from.credentials, from.config.model.api_key_file);
    if (const auto usable = model::check(model_options(from.config, key)); !usable) {
        fmt::print(stderr, "agentd: {}\n", usable.error().text);
        return exit_usage;
    }
    if (online)
        return check_online(from, key);
    fmt::print("configuration ok\n");
    fmt::print("# file: {}\n", from.config_file.empty() ? "none" : from.config_file);
    fmt::print("# state: {}\n", from.state_dir);
    fmt::print("# socket: {}\n", from.socket.value_or(from.default_socket.value_or("none")));
    fmt::print("# credential: {}\n", key ? key->source : key.error().text);
    fmt::print("# proxy: {}\n", model::proxy_in_use(model_options(from.config, key)));
    for (const auto& [name, value] : describe(from.config))
        fmt::print("{} = {}\n", name, value);
    return 0;
}

// The socket named by flag or environment, else a passed one, else the usual one.
base::result<listening> listen_somewhere(const startup& from)
{
    listening out;
    if (!from.socket) {
        auto passed = passed_socket();
        if (!passed)
            return std::unexpected(std::move(passed).error());
        if (*passed) {
            if (auto usable = api::check_listening(passed->get()); !usable)
                return std::unexpected(std::move(usable).error());
            out.group = api::group_of(passed->get());
            out.socket = std::move(*passed);
            return out;
        }
    }
    const auto path = from.socket ? from.socket : from.default_socket;
    if (!path)
        return std::unexpected(
            base::error{errc::bad_config, "cannot tell where the socket is to be: use --socket"});
    const bool shared = from.config.shared;
    if (auto made = make_socket_folder(*path, shared); !made)
        return std::unexpected(std::move(made).error());
    auto own = api::open_listener(*path, api::listener_options{.shared = shared});
    if (!own)
        return std::unexpected(std::move(own).error());
    out.socket = own->take_socket();
    out.own.emplace(std::move(*own));
    out.group = api::group_of(out.socket.get());
    return out;
}

base::result<> make_workspaces(const std::string& state)
{
    std::error_code failure;
    std::filesystem::create_directories(state + "/workspaces", failure);
    if (failure)
        return std::unexpected(base::error{errc::no_access,
            base::system_error("make " + state + "/workspaces", failure.value()).text});
    return {};
}

base::result<std::unique_ptr<store::store>> open_store(const std::string& state)
{
    const base::slow_step step{"opening the state"};
    return store::store::open(state);
}

base::result<prepared> prepare(startup from)
{
    auto at = listen_somewhere(from);
    if (!at)
        return std::unexpected(std::move(at).error());
    if (auto made = make_workspaces(from.state_dir); !made)
        return std::unexpected(std::move(made).error());
    auto policy = tools::policy::from(from.config.policy.deny);
    if (!policy)
        return std::unexpected(std::move(policy).error());
    auto db = open_store(from.state_dir);
    if (!db)
        return std::unexpected(std::move(db).error());
    auto key = find_credential(from.credentials, from.config.model.api_key_file);
    if (const auto hint = model::warning_about(model_options(from.config, key)); !hint.empty())
        log::warning("model.options", {}, "{}", hint);
    return prepared{
        std::move(from), std::move(*at), std::move(*db), std::move(*policy), std::move(key)};
}

// Without one a killed daemon's commands live until the next start.
std::optional<jobs::watcher> start_watcher()
{
    auto made = jobs::watcher::start(scrub_environment);
    if (made)
        return std::optional<jobs::watcher>{std::move(*made)};
    fmt::print(stderr, "agentd: {}\n", made.error().text);
    return std::nullopt;
}

int serve(startup from, const std::optional<jobs::watcher>& beside)
{
    const auto process = prepare_process();
    if (!process)
        return complain(process.error());
    from.soft_descriptors = process->soft_descriptors;
    if (const auto is = jobs::become_subreaper(); !is)
        return complain(is.error());
    open_log(from.config);
    const auto lock = open_state(from.state_dir); // given back when everything else is gone
    if (!lock)
        return complain(lock.error());
    if (beside) {
        from.watcher = beside->pid();
        beside->guard(state_lock(from.state_dir), job_options(from.config, from).spool.folder);
    }
    auto ready = prepare(std::move(from));
    if (!ready)
        return complain(ready.error());
    daemon all{std::move(*ready)};
    return all.run();
}

} // namespace

int run(int argc, char** argv)
{
    const auto given = parse_options(argc, argv);
    if (!given) {
        fmt::print(given.error().exit_code == 0 ? stdout : stderr, "{}", given.error().text);
        return given.error().exit_code;
    }
    if (given->check_state)
        return tell_state(*given, process_environment(), ::geteuid());
    // Before there is anything in memory that it need not have.
    const auto beside = given->check_config ? std::nullopt : start_watcher();
    auto from = read_startup(*given, process_environment(), ::geteuid());
    scrub_environment(); // before there is a thread or a child that could see the key
    if (!from)
        return complain(from.error());
    return given->check_config ? check_config(*from, given->online)
                               : serve(std::move(*from), beside);
}

} // namespace agentd::app
