// Mistakes in the configuration and on the command lines: said with file, line and key, and the
// exit code is 2. Nothing is started for them.
#include "tests/support/harness/paths.hpp"
#include "tests/system/surface.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

using namespace agentd::testing;

namespace {

struct bad_config {
    std::string toml;
    int line;
    std::string key; // empty: a mistake of syntax
};

std::vector<bad_config> mistakes()
{
    return {{"threads = 0", 1, "threads"}, {"\n\nthreads = \"two\"", 3, "threads"},
        {"threads = 1.5", 1, "threads"}, {"shared = 1", 1, "shared"},
        {"colour = \"red\"", 1, "colour"}, {"[nosuch]\nx = 1", 1, "nosuch"},
        {"model = 5", 1, "model"}, {"[model]\nnmae = \"x\"", 2, "model.nmae"},
        {"[model]\nname = \"\"", 2, "model.name"}, {"[model]\nname = 5", 2, "model.name"},
        {"[model]\nbase_url = \"ftp://x\"", 2, "model.base_url"},
        {"[model]\nbase_url = \"https://user:pw@x\"", 2, "model.base_url"},
        {"[model]\nca_file = \"relative.pem\"", 2, "model.ca_file"},
        {"[model]\nmax_tokens = 0", 2, "model.max_tokens"},
        {"[model]\nretry_for_s = -1", 2, "model.retry_for_s"},
        {"[model]\nfallback = \"x\"", 2, "model.fallback"},
        {"[model.price.\"m\"]\ninput = -1\noutput = 1", 2, "model.price.\"m\".input"},
        {"[limits]\nrunning_tasks = 0", 2, "limits.running_tasks"},
        {"[limits]\n\nqueued_tasks = 1000001", 3, "limits.queued_tasks"},
        {"[jobs]\nleftovers = \"burn\"", 2, "jobs.leftovers"},
        {"[jobs]\npass_env = [\"ANTHROPIC_API_KEY\"]", 2, "jobs.pass_env"},
        {"[jobs]\npass_env = [\"1A\"]", 2, "jobs.pass_env"},
        {"[jobs]\nper_session = 0", 2, "jobs.per_session"},
        {"[workspace]\nroots = [\"here\"]", 2, "workspace.roots"},
        {"[log]\nlevel = \"loud\"", 2, "log.level"}, {"[log]\nfile = \"here\"", 2, "log.file"},
        {"[retention]\nevents_days = 0", 2, "retention.events_days"},
        {"wake_window_ms = 60001", 1, "wake_window_ms"}, {"threads = ", 1, ""},
        {"a = 1\nthreads = 1\nthreads = 2", 3, ""}, {"[model\n", 1, ""}, {"x = \"\xff\"", 1, ""}};
}

program_end run_agentd(const scratch_folder& in, std::vector<std::string> arguments,
    std::map<std::string, std::string> env = {})
{
    std::vector<std::string> argv{agentd_path};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return run_program(std::move(argv), in, std::move(env));
}

} // namespace

TEST_CASE("bad config: each mistake is told with file, line and key")
{
    const scratch_folder in;
    const auto file = in / "a.toml";
    for (const auto& row : mistakes()) {
        write_file(file, row.toml);
        const auto end = run_agentd(in, {"--check-config", "--config", file});
        CHECK_MESSAGE(end.code == 2, row.toml << ": " << end.code << end.out);
        CHECK(end.out.empty());
        const auto place = file + ":" + std::to_string(row.line) + ": ";
        const auto said = place + (row.key.empty() ? "" : "key \"" + row.key + "\": ");
        CHECK_MESSAGE(end.err.find(said) != std::string::npos, said << " is not in " << end.err);
    }
}

TEST_CASE("bad config: all mistakes of a file are told at once")
{
    const scratch_folder in;
    write_file(in / "a.toml", "threads = 0\nshared = 1\n[jobs]\ncolour = 1\n");
    const auto end = run_agentd(in, {"--check-config", "--config", in / "a.toml"});
    CHECK(end.code == 2);
    for (const char* part :
        {":1: key \"threads\"", ":2: key \"shared\"", ":4: key \"jobs.colour\""})
        CHECK_MESSAGE(end.err.find(part) != std::string::npos, end.err);
}

TEST_CASE("bad config: a file that cannot be read is an error where it was named")
{
    const scratch_folder in;
    for (const auto& file : {in / "missing.toml", in.path()}) {
        const auto end = run_agentd(in, {"--check-config", "--config", file});
        CHECK_MESSAGE(end.code != 0, file);
        CHECK_MESSAGE(end.err.find(file) != std::string::npos, end.err);
    }
    const auto refused = run_agentd(in, {"--config", in / "missing.toml", "--socket", in / "s"});
    CHECK(refused.code != 0);
    CHECK_FALSE(std::filesystem::exists(in / "s"));
}

TEST_CASE("bad config: a good one is told in full, without the key")
{
    const scratch_folder in;
    write_file(in / "a.toml", "threads = 2\n[model]\nname = \"some-model\"\n");
    const auto end = run_agentd(in, {"--check-config", "--config", in / "a.toml"},
        {{"ANTHROPIC_API_KEY", std::string{canary}}});
    CHECK_MESSAGE(end.code == 0, end.err);
    CHECK(end.out.starts_with("configuration ok\n"));
    CHECK(end.out.find("threads = 2\n") != std::string::npos);
    CHECK(end.out.find("some-model") != std::string::npos);
    CHECK((end.out + end.err).find(canary) == std::string::npos);
}

TEST_CASE("bad config: the environment's own mistakes, and shared as root")
{
    const scratch_folder in;
    write_file(in / "a.toml", "");
    const auto plain = run_agentd(in, {"--check-config", "--config", in / "a.toml"},
        {{"ANTHROPIC_BASE_URL", "http://example.com"}});
    CHECK(plain.code == 2);
    CHECK_MESSAGE(plain.err.find("ANTHROPIC_BASE_URL") != std::string::npos, plain.err);
    if (::getuid() != 0)
        return;
    write_file(in / "a.toml", "shared = true\n[workspace]\nroots = [\"/tmp\"]\n");
    const auto shared = run_agentd(in, {"--check-config", "--config", in / "a.toml"});
    CHECK(shared.code == 2);
    CHECK_MESSAGE(shared.err.find("shared") != std::string::npos, shared.err);
}

TEST_CASE("command line: what agentd does not know is exit 2 and told on stderr")
{
    const scratch_folder in;
    for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--nonsense"},
             {"--config"}, {"--socket"}, {"extra"}, {"--check-config=maybe"}, {"-x"}}) {
        const auto end = run_agentd(in, arguments);
        CHECK_MESSAGE(end.code == 2, arguments.front() << ": " << end.code);
        CHECK(end.out.empty());
        CHECK(!end.err.empty());
    }
    const auto version = run_agentd(in, {"--version"});
    CHECK(version.code == 0);
    CHECK(version.out.starts_with("agentd "));
    const auto help = run_agentd(in, {"--help"});
    CHECK(help.code == 0);
    CHECK(help.out.find("--check-config") != std::string::npos);
}

TEST_CASE("command line: a second daemon on the same state or socket ends and leaves the first one")
{
    world w{{.scenario = scenario({}, hello_to_all())}};
    const scratch_folder in;
    write_file(in / "a.toml", "");
    const auto same_state = run_agentd(in,
        {"--config", in / "a.toml", "--socket", in / "s", "--state-dir", w.state_folder()},
        {{"ANTHROPIC_API_KEY", "x"}});
    CHECK(same_state.code == 1);
    const auto same_socket = run_agentd(in,
        {"--config", in / "a.toml", "--socket", w.socket(), "--state-dir", in / "state"},
        {{"ANTHROPIC_API_KEY", "x"}});
    CHECK(same_socket.code == 1);
    CHECK(w.ended(w.submit("greet")).at("state").as_string() == "succeeded");
}
