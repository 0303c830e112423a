// agentd-scripted-model: a stand-in for the Messages API that tests and the demo run against.
// Reads the command line, starts the server, says where it is, and serves until a signal
// or the end of its parent.
#include "http_server.hpp"
#include "recorded.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <CLI/CLI.hpp>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <expected>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <utility>

namespace {

using namespace agentd::testing;

struct command_line {
    server_options server;
    std::string scenario_file;
    std::string recorded_file;
    bool no_validate = false;
    bool daemonless = false;
};

void describe(CLI::App& app, command_line& out)
{
    app.add_option("--scenario", out.scenario_file, "what to answer (README.md describes it)");
    app.add_option("--dir", out.server.dir, "folder to write ca.pem to (needed without --plain)");
    app.add_option("--port", out.server.port, "port on 127.0.0.1; 0: any free one");
    app.add_option("--threads", out.server.threads, "threads")->check(CLI::Range(1, 64));
    app.add_flag("--plain", out.server.plain, "http instead of https");
    app.add_option("--key", out.server.judging.key, "the only credential accepted");
    app.add_option("--record", out.server.record_file, "append each request as a JSON line");
    app.add_option("--seed", out.server.judging.seed, "seed of the ids made (default: random)");
    app.add_option("--validate", out.recorded_file, "judge recorded requests, serve nothing");
    app.add_flag("--no-validate", out.no_validate, "follow the script only (benchmarks)");
    app.add_flag("--daemonless", out.daemonless, "go on when the parent has ended");
    const std::map<std::string, certificate_kind> kinds{{"good", certificate_kind::good},
        {"wrong-host", certificate_kind::wrong_host}, {"expired", certificate_kind::expired}};
    app.add_option("--cert", out.server.certificate, "good, wrong-host or expired")
        ->transform(CLI::CheckedTransformer(kinds));
}

void raise_descriptor_limit()
{
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

// False: the parent has ended already.
bool end_with_parent(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    return getppid() == parent;
}

void say_ready(const http_server& server)
{
    boost::json::object line;
    line.emplace("url", server.url());
    if (!server.ca_file().empty())
        line.emplace("ca_file", server.ca_file());
    std::printf("%s\n", boost::json::serialize(line).c_str());
    std::fflush(stdout);
}

int fail(const std::string& why)
{
    std::fprintf(stderr, "agentd-scripted-model: %s\n", why.c_str());
    return 2;
}

// Each finding is a line; exit 1 when there is any.
int validate(const std::string& file)
{
    std::ifstream lines{file, std::ios::binary};
    if (!lines)
        return fail("cannot read " + file);
    auto verdict = judge_recorded(lines);
    for (const auto& finding : verdict.findings)
        std::printf("%s\n", finding.c_str());
    std::printf("%zu requests, %zu findings\n", verdict.requests, verdict.findings.size());
    return verdict.findings.empty() ? 0 : 1;
}

int serve(command_line options)
{
    auto plan = options.scenario_file.empty()
        ? std::expected<scenario, std::string>{plain_scenario()}
        : load_scenario(options.scenario_file);
    if (!plan)
        return fail(plan.error());
    if (!options.server.plain && options.server.dir.empty())
        return fail("--dir is needed without --plain");
    options.server.judging.validate = !options.no_validate;
    auto server = http_server::open(std::move(*plan), std::move(options.server));
    if (!server)
        return fail(server.error());
    say_ready(**server);
    (*server)->run_until_signal();
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    auto parent = getppid();
    std::signal(SIGPIPE, SIG_IGN);
    command_line options;
    options.server.judging.seed = std::random_device{}();
    CLI::App app{"A scripted model: the Messages API, answered from a scenario file."};
    describe(app, options);
    CLI11_PARSE(app, argc, argv);
    if (!options.recorded_file.empty())
        return validate(options.recorded_file);
    if (!options.daemonless && !end_with_parent(parent))
        return 0;
    raise_descriptor_limit();
    return serve(std::move(options));
}
