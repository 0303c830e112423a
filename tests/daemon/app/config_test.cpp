#include "app/config.hpp"
#include "app/model_settings.hpp"
#include "tests/daemon/app/fixtures.hpp"

#include <doctest/doctest.h>

#include <fstream>

using namespace agentd;
using namespace std::chrono_literals;

namespace {

struct mistake {
    const char* text;
    const char* message;
};

// Each key wrong, in type and in bounds.
const mistake mistakes[] = {
    {"threads = 0", "c.toml:1: key \"threads\": must be between 1 and 64"},
    {"threads = \"two\"", "c.toml:1: key \"threads\": must be a whole number"},
    {"threads = 1.5", "c.toml:1: key \"threads\": must be a whole number"},
    {"shared = 1", "c.toml:1: key \"shared\": must be true or false"},
    {"wake_window_ms = -1", "c.toml:1: key \"wake_window_ms\": must be between 0 and 60000"},
    {"\n\nthread = 1", "c.toml:3: key \"thread\": unknown key"},
    {"[model]\nname = \"\"", "c.toml:2: key \"model.name\": must not be empty"},
    {"[model]\nname = 3", "c.toml:2: key \"model.name\": must be a string"},
    {"[model]\nbase_url = \"ftp://x\"",
        "c.toml:2: key \"model.base_url\": must begin with https:// (or http://)"},
    {"[model]\nbase_url = \"https://user:pw@x\"",
        "c.toml:2: key \"model.base_url\": must not hold a user or password"},
    {"[model]\nbase_url = \"https:///v1\"", "c.toml:2: key \"model.base_url\": must name a host"},
    {"[model]\nca_file = \"ca.pem\"", "c.toml:2: key \"model.ca_file\": must be an absolute path"},
    {"[model]\napi_key_file = \"key\"",
        "c.toml:2: key \"model.api_key_file\": must be an absolute path"},
    {"[model]\nproxy = \"socks5://u:secret@h\"",
        "c.toml:2: key \"model.proxy\": must be an http:// proxy that takes CONNECT: "
        "SOCKS is not supported"},
    {"[model]\nproxy = \"http://u:secret@\"", "c.toml:2: key \"model.proxy\": has no valid host"},
    {"[model]\nno_proxy = \"a\"", "c.toml:2: key \"model.no_proxy\": must be an array of strings"},
    {"[model]\nno_proxy = [\"a, b\"]", "c.toml:2: key \"model.no_proxy\": must hold one host each"},
    {"[model]\nconnect_timeout_s = 0",
        "c.toml:2: key \"model.connect_timeout_s\": must be between 1 and 600"},
    {"[model]\ntls_timeout_s = 601",
        "c.toml:2: key \"model.tls_timeout_s\": must be between 1 and 600"},
    {"[model]\nsend_timeout_s = 0",
        "c.toml:2: key \"model.send_timeout_s\": must be between 1 and 86400"},
    {"[model]\nfirst_byte_timeout_s = 0",
        "c.toml:2: key \"model.first_byte_timeout_s\": must be between 1 and 86400"},
    {"[model]\nidle_timeout_s = 86401",
        "c.toml:2: key \"model.idle_timeout_s\": must be between 1 and 86400"},
    {"[model]\ntotal_timeout_s = -1",
        "c.toml:2: key \"model.total_timeout_s\": must be between 0 and 86400"},
    {"[model]\nkeep_connections_s = 3601",
        "c.toml:2: key \"model.keep_connections_s\": must be between 0 and 3600"},
    {"[model]\nmax_tokens = 0",
        "c.toml:2: key \"model.max_tokens\": must be between 1 and 1000000"},
    {"[model]\nversion = \"\"", "c.toml:2: key \"model.version\": must not be empty"},
    {"[model]\nretry_for_s = -1",
        "c.toml:2: key \"model.retry_for_s\": must be between 0 and 86400"},
    {"[model]\nretry_attempts = -2",
        "c.toml:2: key \"model.retry_attempts\": must be between -1 and 1000"},
    {"[model]\nfallback = \"x\"", "c.toml:2: key \"model.fallback\": must be an array of strings"},
    {"[model]\nfallback = [1]", "c.toml:2: key \"model.fallback\": must be a string"},
    {"[model]\ncontext_window = -5",
        "c.toml:2: key \"model.context_window\": must be between 0 and 100000000"},
    {"[model]\ncompact_at = 1.5", "c.toml:2: key \"model.compact_at\": must be between 0 and 1"},
    {"[model]\nprice = 3", "c.toml:2: key \"model.price\": must be a table of models"},
    {"[model]\nprice.x = 3",
        "c.toml:2: key \"model.price.\"x\"\": must be a table "
        "{ input, output, cache_read, cache_write }"},
    {"[model]\nprice.x = { input = 1 }", "c.toml:2: key \"model.price.\"x\".output\": is missing"},
    {"[model]\nprice.x = { input = 1, output = \"y\" }",
        "c.toml:2: key \"model.price.\"x\".output\": must be a number"},
    {"[model]\nprice.x = { input = -1, output = 1 }",
        "c.toml:2: key \"model.price.\"x\".input\": must be between 0 and 1000000"},
    {"[model]\nprice.x = { input = 1, output = 1, other = 1 }",
        "c.toml:2: key \"model.price.\"x\".other\": unknown key"},
    {"[model]\nnmae = \"x\"", "c.toml:2: key \"model.nmae\": unknown key"},
    {"model = 1", "c.toml:1: key \"model\": must be a section"},
    {"[limits]\nrunning_tasks = 0",
        "c.toml:2: key \"limits.running_tasks\": must be between 1 and 100000"},
    {"[limits]\nrunning_tasks = 100001",
        "c.toml:2: key \"limits.running_tasks\": must be between 1 and 100000"},
    {"[limits]\nqueued_tasks = 0",
        "c.toml:2: key \"limits.queued_tasks\": must be between 1 and 1000000"},
    {"[limits]\nsessions = 0", "c.toml:2: key \"limits.sessions\": must be between 1 and 10000000"},
    {"[limits]\nconnections = 0",
        "c.toml:2: key \"limits.connections\": must be between 1 and 65536"},
    {"[limits]\nsession_budget_usd = \"all\"",
        "c.toml:2: key \"limits.session_budget_usd\": must be a number"},
    {"[limits]\nsession_budget_usd = nan",
        "c.toml:2: key \"limits.session_budget_usd\": must be a number"},
    {"[limits]\nsession_tokens = -1",
        "c.toml:2: key \"limits.session_tokens\": must be between 0 and 1000000000000"},
    {"[jobs]\nper_session = 0", "c.toml:2: key \"jobs.per_session\": must be between 1 and 10000"},
    {"[jobs]\nper_daemon = 0", "c.toml:2: key \"jobs.per_daemon\": must be between 1 and 10000"},
    {"[jobs]\ntimeout_s = -1", "c.toml:2: key \"jobs.timeout_s\": must be between 0 and 2592000"},
    {"[jobs]\ngrace_s = 46", "c.toml:2: key \"jobs.grace_s\": must be between 0 and 45"},
    {"[jobs]\nstall_s = -1", "c.toml:2: key \"jobs.stall_s\": must be between 0 and 86400"},
    {"[jobs]\nleftovers = \"stop\"", "c.toml:2: key \"jobs.leftovers\": must be one of kill, keep"},
    {"[jobs]\ncgroup = \"here\"",
        "c.toml:2: key \"jobs.cgroup\": must be auto, off or an absolute path"},
    {"[jobs]\ncpu_s = -1", "c.toml:2: key \"jobs.cpu_s\": must be between 0 and 2592000"},
    {"[jobs]\nmemory_bytes = -1",
        "c.toml:2: key \"jobs.memory_bytes\": must be between 0 and 1125899906842624"},
    {"[jobs]\nprocesses = 5000000",
        "c.toml:2: key \"jobs.processes\": must be between 0 and 4000000"},
    {"[jobs]\nmax_output_bytes = -1",
        "c.toml:2: key \"jobs.max_output_bytes\": must be between 0 and 1125899906842624"},
    {"[jobs]\nfile_bytes = -1",
        "c.toml:2: key \"jobs.file_bytes\": must be between 0 and 1125899906842624"},
    {"[jobs]\nsession_cpu_s = 40000000",
        "c.toml:2: key \"jobs.session_cpu_s\": must be between 0 and 31104000"},
    {"[jobs]\nsession_wall_s = -1",
        "c.toml:2: key \"jobs.session_wall_s\": must be between 0 and 31104000"},
    {"[jobs]\nsession_output_bytes = -1",
        "c.toml:2: key \"jobs.session_output_bytes\": must be between 0 and 1125899906842624"},
    {"[jobs]\nsession_log_bytes = -1",
        "c.toml:2: key \"jobs.session_log_bytes\": must be between 0 and 1125899906842624"},
    {"[jobs]\nsession_memory_bytes = -1",
        "c.toml:2: key \"jobs.session_memory_bytes\": must be between 0 and 1125899906842624"},
    {"[jobs]\nsession_processes = -1",
        "c.toml:2: key \"jobs.session_processes\": must be between 0 and 4000000"},
    {"[jobs]\npass_env = [\"A B\"]",
        "c.toml:2: key \"jobs.pass_env\": must be names of environment variables"},
    {"[jobs]\npass_env = [\"ANTHROPIC_API_KEY\"]",
        "c.toml:2: key \"jobs.pass_env\": must not name ANTHROPIC_API_KEY: commands never see it"},
    {"[jobs]\noutput_bytes = 1",
        "c.toml:2: key \"jobs.output_bytes\": must be between 4096 and 1099511627776"},
    {"[jobs]\nspool_bytes = 1",
        "c.toml:2: key \"jobs.spool_bytes\": must be between 4096 and 1125899906842624"},
    {"[policy]\ndeny = \"sudo\"", "c.toml:2: key \"policy.deny\": must be an array of strings"},
    {"[workspace]\nroots = [\"srv\"]",
        "c.toml:2: key \"workspace.roots\": must be an absolute path"},
    {"[retention]\nevents_days = 0",
        "c.toml:2: key \"retention.events_days\": must be between 1 and 36500"},
    {"[retention]\nevents_count = 99",
        "c.toml:2: key \"retention.events_count\": must be between 100 and 1000000000000"},
    {"[retention]\njob_logs_bytes = -1",
        "c.toml:2: key \"retention.job_logs_bytes\": must be between 0 and 1125899906842624"},
    {"[log]\nlevel = \"loud\"",
        "c.toml:2: key \"log.level\": must be one of error, warning, info, debug"},
    {"[log]\nfile = \"log\"", "c.toml:2: key \"log.file\": must be an absolute path"},
    {"[log]\nformat = \"xml\"", "c.toml:2: key \"log.format\": must be one of auto, json, journal"},
    {"[logs]\nlevel = \"info\"", "c.toml:1: key \"logs\": unknown key"},
};

} // namespace

TEST_CASE("config: each wrong key is refused with file, line, key and bound")
{
    for (const auto& [text, message] : mistakes) {
        CAPTURE(text);
        const auto read = app::parse_config(text, "c.toml");
        REQUIRE(!read);
        CHECK(read.error().is(app::errc::bad_config));
        CHECK(read.error().text == message);
    }
}

TEST_CASE("config: every mistake of a file is told, in order of line")
{
    const auto read = app::parse_config("threads = 0\nx = 1\n[log]\nlevel = 1\n", "c.toml");
    REQUIRE(!read);
    CHECK(read.error().text ==
        "c.toml:1: key \"threads\": must be between 1 and 64\n"
        "c.toml:2: key \"x\": unknown key\n"
        "c.toml:4: key \"log.level\": must be a string");
}

TEST_CASE("config: a syntax error names its line")
{
    const auto read = app::parse_config("threads = 2\nshared = maybe\n", "c.toml");
    REQUIRE(!read);
    CHECK(read.error().text.starts_with("c.toml:2: "));
}

TEST_CASE("config: an empty file gives the documented defaults")
{
    const auto read = app::parse_config("", "c.toml");
    REQUIRE(read);
    CHECK(read->threads == 1);
    CHECK(read->model.name == "claude-opus-5-5");
    CHECK(read->model.max_tokens == 16'000);
    CHECK(read->wake_window == 200ms);
    CHECK(read->limits.running_tasks == 1000);
    CHECK(read->jobs.timeout == 3600s);
    CHECK(!read->policy.deny.empty());
}

TEST_CASE("config: values of a file are taken")
{
    const auto read = app::parse_config(R"(
threads = 4
wake_window_ms = 0
[model]
name = "m"
base_url = "http://proxy.example:8080"
fallback = ["a", "b"]
price."claude-3.5" = { input = 3, output = 15.5 }
[jobs]
pass_env = ["SSH_AUTH_SOCK", "CARGO_*"]
timeout_s = 0
[limits]
session_budget_usd = 5
)",
        "c.toml");
    REQUIRE_MESSAGE(read, (read ? "" : read.error().text));
    CHECK(read->threads == 4);
    CHECK(read->wake_window == 0ms);
    CHECK(read->model.fallback == std::vector<std::string>{"a", "b"});
    CHECK(read->model.price.at("claude-3.5").output == 15.5);
    CHECK(read->jobs.pass_env.size() == 2);
    CHECK(read->jobs.timeout == 0s);
    CHECK(read->limits.session_budget_usd == 5.0);
}

TEST_CASE("config: the manual has every key with its default")
{
    std::ifstream file{AGENTD_CONFIG_MANUAL};
    std::string manual, line;
    while (std::getline(file, line))
        manual += line + "\n";
    std::erase(manual, '\\'); // roff's escapes
    for (const auto& [key, value] : app::describe(app::config{})) {
        CAPTURE(key);
        const auto name = key.substr(key.find('.') + 1);
        const auto at = manual.find("\n.B " + name + "\n");
        REQUIRE(at != std::string::npos);
        if (key != "policy.deny") // a long list
            CHECK(manual.find("Default: " + value + ".", at) < manual.find("\n.TP", at + 1));
    }
}

TEST_CASE("config: the environment goes before the file")
{
    app::config all;
    const auto env = testing::fake_environment(
        {{"ANTHROPIC_BASE_URL", "http://127.0.0.1:99"}, {"MODEL_ID", "other"}});
    REQUIRE(app::apply_environment(all, env));
    CHECK(all.model.base_url == "http://127.0.0.1:99");
    CHECK(all.model.name == "other");
}

TEST_CASE("config: a proxy of the file goes before the environment's, which goes by the scheme")
{
    const auto env = testing::fake_environment({{"HTTPS_PROXY", "http://large:1"},
        {"https_proxy", "http://small:1"}, {"HTTP_PROXY", "http://plain:1"},
        {"all_proxy", "http://all:1"}, {"NO_PROXY", "a.example, .b.example,*"}});
    const auto none =
        base::result<app::credential>{std::unexpected(base::error{app::errc::no_access, "none"})};
    app::config all;
    REQUIRE(app::apply_environment(all, env));
    CHECK(app::model_options(all, none).proxy == "http://small:1");
    CHECK(app::model_options(all, none).no_proxy ==
        std::vector<std::string>{"a.example", " .b.example", "*"});
    all.model.base_url = "http://h";
    CHECK(app::model_options(all, none).proxy == "http://plain:1");
    all.proxies.http.clear();
    CHECK(app::model_options(all, none).proxy == "http://all:1");
    all.model.proxy = "none";
    all.model.no_proxy = {"c.example"};
    CHECK(app::model_options(all, none).proxy == "none");
    CHECK(app::model_options(all, none).no_proxy == std::vector<std::string>{"c.example"});
}

TEST_CASE("config: a proxy's user and password are not shown")
{
    const auto read =
        app::parse_config("[model]\nproxy = \"http://user:secret@h:3128\"\n", "c.toml");
    REQUIRE(read);
    CHECK(read->model.proxy == "http://user:secret@h:3128");
    for (const auto& [key, value] : app::describe(*read)) {
        CHECK(value.find("secret") == std::string::npos);
        if (key == "model.proxy")
            CHECK(value == "\"http://***@h:3128\"");
    }
}

TEST_CASE("config: each deadline of the model's connections reaches them")
{
    const auto read = app::parse_config(R"([model]
connect_timeout_s = 1
tls_timeout_s = 2
send_timeout_s = 3
first_byte_timeout_s = 4
idle_timeout_s = 5
total_timeout_s = 6
keep_connections_s = 7
)",
        "c.toml");
    REQUIRE(read);
    const auto none =
        base::result<app::credential>{std::unexpected(base::error{app::errc::no_access, "none"})};
    const auto with = app::model_options(*read, none).limits;
    CHECK(with.connect == 1s);
    CHECK(with.handshake == 2s);
    CHECK(with.send == 3s);
    CHECK(with.first_byte == 4s);
    CHECK(with.idle == 5s);
    CHECK(with.total == 6s);
    CHECK(with.pooled == 7s);
    const auto usual = app::model_options(app::config{}, none).limits;
    CHECK(usual.first_byte == 600s);
    CHECK(usual.total == 0s);
}

TEST_CASE("config: plain http from the environment goes to loopback alone")
{
    app::config all;
    for (const auto* url : {"http://example.com", "http://127.evil.example", "http://10.0.0.1"}) {
        CAPTURE(url);
        const auto env = testing::fake_environment({{"ANTHROPIC_BASE_URL", url}});
        const auto applied = app::apply_environment(all, env);
        REQUIRE(!applied);
        CHECK(applied.error().text.starts_with("environment: ANTHROPIC_BASE_URL: "));
    }
    for (const auto* url : {"http://localhost:1", "http://[::1]:80/x", "https://example.com"}) {
        CAPTURE(url);
        const auto env = testing::fake_environment({{"ANTHROPIC_BASE_URL", url}});
        CHECK(app::apply_environment(all, env));
    }
}

TEST_CASE("config: shared needs a root and is nothing for uid 0")
{
    app::config all;
    all.shared = true;
    CHECK(!app::check_together(all, 1000));
    all.workspace.roots = {"/srv"};
    CHECK(app::check_together(all, 1000));
    CHECK(!app::check_together(all, 0));
}
