// `agentd --check-config --online`, the built program against the scripted model over TLS: one
// line and an exit code for each thing that can be wrong, and nothing of it leaves a trace.
#include "tests/support/byte_server.hpp"
#include "tests/support/harness/paths.hpp"
#include "tests/support/harness/process.hpp"
#include "tests/support/harness/world.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>

#include <filesystem>

using namespace agentd::testing;

namespace {

// The scripted model with these arguments.
struct server {
    explicit server(std::vector<std::string> more = {})
    {
        program what;
        what.argv = {scripted_model_path, "--dir", folder.path()};
        what.argv.insert(what.argv.end(), more.begin(), more.end());
        what.env = {{"PATH", "/usr/bin:/bin"}};
        running = std::make_unique<process>(what);
        const auto ready = running->read_line(patience());
        REQUIRE(ready);
        const auto where = boost::json::parse(*ready);
        url = where.at("url").as_string();
        ca_file = where.at("ca_file").as_string();
    }

    scratch_folder folder;
    std::unique_ptr<process> running;
    std::string url, ca_file;
};

struct said {
    int code = -1;
    std::string out, err;
};

class check {
public:
    check(const std::string& url, const std::string& ca_file) : url_(url)
    {
        config = "[model]\nname = \"claude-opus-5-5\"\nbase_url = \"" + url + "\"\n";
        if (!ca_file.empty())
            config += "ca_file = \"" + ca_file + "\"\n";
    }
    explicit check(const server& at) : check(at.url, at.ca_file) {}

    said run(std::vector<std::string> arguments = {"--check-config", "--online"})
    {
        write_file(in_ / "agentd.toml", config);
        program what;
        what.argv = {agentd_path, "--config", in_ / "agentd.toml", "--state-dir", in_ / "state",
            "--socket", in_ / "s"};
        what.argv.insert(what.argv.end(), arguments.begin(), arguments.end());
        what.env = {{"PATH", "/usr/bin:/bin"}, {"HOME", in_ / "home"}, {"ANTHROPIC_API_KEY", key}};
        for (const auto* old : {"out", "err"})
            std::filesystem::remove(in_ / old);
        what.stdout_file = in_ / "out";
        what.stderr_file = in_ / "err";
        process running{what};
        said got;
        got.code = running.wait(patience()).value_or(-1);
        got.out = read_file(in_ / "out");
        got.err = read_file(in_ / "err");
        CHECK((got.out + got.err).find("sk-") == std::string::npos);
        CHECK_FALSE(std::filesystem::exists(in_ / "state"));
        CHECK_FALSE(std::filesystem::exists(in_ / "s"));
        return got;
    }
    // Fails, with one line that has this in it.
    void fails(const std::string& part)
    {
        const auto got = run();
        CHECK(got.code == 1);
        CHECK(got.out.empty());
        CHECK(got.err.starts_with("agentd: "));
        CHECK(got.err.find('\n') == got.err.size() - 1);
        CHECK_MESSAGE(got.err.find(part) != std::string::npos, got.err);
    }

    std::string config;
    std::string key{canary};

private:
    std::string url_;
    scratch_folder in_;
};

} // namespace

TEST_CASE("online: what works is said in one line, with agentd's own prompt and tools tried")
{
    const server at;
    check one{at};
    one.config += "fallback = [\"claude-sonnet-5-5\"]\n";
    const auto got = one.run();
    CHECK_MESSAGE(got.code == 0, got.err);
    CHECK(got.err.empty());
    CHECK(got.out.starts_with("ok: 127.0.0.1:"));
    CHECK(got.out.find("takes the credential and knows claude-opus-5-5, claude-sonnet-5-5; a first "
                       "request has ") != std::string::npos);
    CHECK(got.out.find('\n') == got.out.size() - 1);
}

TEST_CASE("online: a wrong key, a wrong model, a wrong fallback")
{
    const server at{{"--key", "sk-another"}};
    check one{at};
    one.fails("refuses the credential (401)");
    const server any;
    check two{any};
    two.config.replace(two.config.find("opus"), 4, "opsu");
    two.fails("the model claude-opsu-5-5 is not known to 127.0.0.1:");
    two.fails("; it knows claude-");
    check three{any};
    three.config += "fallback = [\"claude-nothing\"]\n";
    three.fails("the model claude-nothing is not known");
    check four{any};
    four.key.clear();
    const auto got = four.run();
    CHECK(got.code == 1);
    CHECK(got.err.find("no credential") != std::string::npos);
}

TEST_CASE("online: nobody listens, nobody who is trusted, the wrong host, an expired certificate")
{
    std::string gone;
    {
        const byte_server nobody{{[](peer&) {}}};
        gone = nobody.url();
    }
    check{gone, ""}.fails("refused");
    const server at;
    check{at.url, ""}.fails("certificate");
    check{server{{"--cert", "wrong-host"}}}.fails("cannot be asked");
    const server wrong{{"--cert", "wrong-host"}};
    check{wrong}.fails("host");
    const server expired{{"--cert", "expired"}};
    check{expired}.fails("expired");
}

TEST_CASE("online: beside a running daemon, with its own state folder in use")
{
    world_options how;
    how.scenario = R"({"default":{"steps":[)" + text_reply("Hello.") + "]}}";
    world w{how};
    program what;
    what.argv = {agentd_path, "--config", w.folder() + "/agentd.toml", "--socket", w.socket(),
        "--state-dir", w.state_folder(), "--check-config", "--online"};
    what.env = {{"PATH", "/usr/bin:/bin"}, {"HOME", w.folder()},
        {"ANTHROPIC_API_KEY", std::string{canary}}};
    process running{what};
    const auto out = running.read_all(patience());
    CHECK(running.wait(patience()) == 0);
    CHECK(out.starts_with("ok: "));
    CHECK(w.call("GET", "/v1/health").status == 200);
}

TEST_CASE("online: a configuration that is wrong is not asked about; the flag is not for itself")
{
    check one{"ftp://localhost", ""};
    auto got = one.run();
    CHECK(got.code == 2);
    CHECK(got.err.find("base_url") != std::string::npos);
    got = one.run({"--online"});
    CHECK(got.code == 2);
    CHECK(got.err.find("--check-config") != std::string::npos);
}
