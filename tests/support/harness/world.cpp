#include "tests/support/harness/world.hpp"

#include "tests/support/harness/paths.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

namespace agentd::testing {
namespace {

namespace js = boost::json;

// The socket on which a service manager would be told READY=1.
class notify_socket {
public:
    explicit notify_socket(const std::string& path)
        : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0))
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.c_str(), path.size());
        ::unlink(path.c_str());
        REQUIRE(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::chmod(path.c_str(), 0666) == 0); // a daemon of another uid tells, too
    }

    // False: the daemon has ended before, or nothing came in time.
    bool await_ready(process& daemon) const
    {
        const auto until = std::chrono::steady_clock::now() + patience();
        while (std::chrono::steady_clock::now() < until) {
            pollfd input{fd_.get(), POLLIN, 0};
            if (::poll(&input, 1, 100) != 1) {
                if (daemon.wait(std::chrono::milliseconds{0}))
                    return false;
                continue;
            }
            char bytes[4096];
            const auto got = ::recv(fd_.get(), bytes, sizeof bytes, 0);
            if (got > 0 &&
                std::string_view{bytes, static_cast<std::size_t>(got)}.find("READY=1") !=
                    std::string_view::npos)
                return true;
        }
        return false;
    }

private:
    base::unique_fd fd_;
};

void collect_texts(const js::value& content, std::string& into)
{
    if (content.is_string()) {
        into.append(content.as_string()).append("\n");
        return;
    }
    if (!content.is_array())
        return;
    for (const auto& block : content.as_array()) {
        const auto& type = block.at("type").as_string();
        if (type == "text")
            into.append(block.at("text").as_string()).append("\n");
        else if (type == "tool_result" && block.as_object().contains("content"))
            collect_texts(block.at("content"), into);
    }
}

} // namespace

int daemon_threads()
{
    const char* threads = std::getenv("AGENTD_TEST_THREADS"); // NOLINT: tests set no environment
    return threads == nullptr ? 1 : std::max(1, std::atoi(threads)); // NOLINT: our own script's
}

std::string last_user_text(const js::value& request)
{
    std::string all;
    collect_texts(request.at("body").at("messages").as_array().back().at("content"), all);
    return all;
}

std::string text_reply(std::string_view text)
{
    const js::value reply{{"reply", {{"content", js::array{{{"type", "text"}, {"text", text}}}}}}};
    return js::serialize(reply);
}

world::world(world_options how) : how_(std::move(how))
{
    ::mkdir(workspace().c_str(), 0700);
    ::mkdir((scratch_ / "home").c_str(), 0700);
    model_url_ = how_.model_url;
    ca_file_ = how_.ca_file;
    if (model_url_.empty())
        start_model(how_.scenario);
    std::string config = "threads = " + std::to_string(daemon_threads()) + "\n";
    // The test's own top-level keys come before the first table.
    config += how_.config;
    config += "\n[model]\nbase_url = \"" + model_url_ + "\"\nca_file = \"" + ca_file_ + "\"\n";
    config += how_.model_config;
    write_file(scratch_ / "agentd.toml", config);
    if (how_.start)
        start_daemon();
}

world::~world()
{
    client_.reset();
    if (daemon_ && !daemon_->wait(std::chrono::milliseconds{0}))
        static_cast<void>(stop_daemon(SIGTERM));
    if (doctest::getContextOptions() != nullptr &&
        std::getenv("AGENTD_TEST_LOG") != nullptr) // NOLINT
        ::fputs(log().c_str(), stderr);
}

void world::start_model(const std::string& scenario)
{
    write_file(scratch_ / "scenario.json", scenario);
    program model;
    model.argv = {scripted_model_path, "--scenario", scratch_ / "scenario.json", "--dir",
        scratch_.path(), "--threads", "2"};
    model.env = {{"PATH", "/usr/bin:/bin"}};
    model.stderr_file = scratch_ / "model.log";
    model_ = std::make_unique<process>(model);
    const auto ready = model_->read_line(patience());
    REQUIRE_MESSAGE(
        ready, "the scripted model does not start: " << read_file(scratch_ / "model.log"));
    const auto where = js::parse(*ready);
    model_url_ = where.at("url").as_string();
    ca_file_ = where.at("ca_file").as_string();
}

void world::change_daemon(const std::string& path, std::map<std::string, std::string> env)
{
    daemon_path_ = path;
    how_.env = std::move(env);
}

void world::start_daemon()
{
    REQUIRE_MESSAGE(try_start_daemon(), "agentd does not start: " << log());
}

bool world::try_start_daemon()
{
    const notify_socket notify{scratch_ / "notify"};
    launch_daemon();
    return notify.await_ready(*daemon_);
}

void world::launch_daemon()
{
    program daemon;
    daemon.argv = how_.launcher;
    for (const auto& word : {daemon_path_.empty() ? std::string{agentd_path} : daemon_path_,
             std::string{"--config"}, scratch_ / "agentd.toml", std::string{"--socket"}, socket(),
             std::string{"--state-dir"}, state_folder()})
        daemon.argv.push_back(word);
    daemon.env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"HOME", scratch_ / "home"},
        {"ANTHROPIC_API_KEY", std::string{canary}}, {"NOTIFY_SOCKET", scratch_ / "notify"}};
    for (const char* name :
        {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS", "ASAN_SYMBOLIZER_PATH"})
        if (const char* value = std::getenv(name)) // NOLINT: tests set no environment
            daemon.env.emplace(name, value);
    for (const auto& [name, value] : how_.env)
        daemon.env[name] = value;
    daemon.stdout_file = scratch_ / "agentd.out";
    daemon.stderr_file = scratch_ / "agentd.log";
    client_.reset();
    daemon_ = std::make_unique<process>(daemon);
}

void world::kill_daemon()
{
    CHECK(stop_daemon(SIGKILL) == 128 + SIGKILL);
}

int world::stop_daemon(int signal)
{
    client_.reset();
    daemon_->signal(signal);
    const auto code = daemon_->wait(patience());
    CHECK_MESSAGE(code, "agentd does not end: " << log());
    return code.value_or(-1);
}

http_reply world::call(
    std::string_view method, std::string_view target, std::string_view body, const headers& with)
{
    if (!client_)
        client_ = std::make_unique<http_client>(socket());
    return client_->call(method, target, body, with);
}

js::value world::json(
    int status, std::string_view method, std::string_view target, const js::value& body)
{
    const auto reply = call(method, target, body.is_null() ? std::string{} : js::serialize(body));
    REQUIRE_MESSAGE(reply.status == status,
        method << " " << target << ": " << reply.status << " " << reply.body);
    return reply.body.empty() ? js::value{} : js::parse(reply.body);
}

js::value world::json(int status, std::string_view method, std::string_view target)
{
    return json(status, method, target, js::value{});
}

std::string world::submit(std::string_view prompt, js::object more)
{
    more["prompt"] = prompt;
    if (!more.contains("session_id") && !more.contains("workdir"))
        more["workdir"] = workspace();
    return std::string{json(202, "POST", "/v1/tasks", more).at("id").as_string()};
}

js::object world::ended(const std::string& task)
{
    const auto until = std::chrono::steady_clock::now() + patience();
    for (;;) {
        auto now = json(200, "GET", "/v1/tasks/" + task + "/wait?timeout_s=10").as_object();
        if (!now.at("ended_at").is_null())
            return now;
        REQUIRE_MESSAGE(std::chrono::steady_clock::now() < until,
            "task does not end: " << js::serialize(now) << "\n"
                                  << log());
    }
}

js::object world::task(const std::string& id)
{
    return json(200, "GET", "/v1/tasks/" + id).as_object();
}

std::vector<js::object> world::events(const std::string& query)
{
    std::vector<js::object> all;
    const auto reply = call("GET", "/v1/events?after=0&limit=100000" + query);
    REQUIRE(reply.status == 200);
    std::size_t at = 0;
    while (at < reply.body.size()) {
        const auto end = std::min(reply.body.find('\n', at), reply.body.size());
        all.push_back(js::parse(reply.body.substr(at, end - at)).as_object());
        at = end + 1;
    }
    return all;
}

js::object world::await_event(const std::string& type, const std::string& task)
{
    auto reader = connect();
    const auto head = reader.open_stream(
        "/v1/events?after=0&follow=1" + (task.empty() ? "" : "&task_id=" + task));
    REQUIRE(head.status == 200);
    while (const auto line = reader.next_line(patience())) {
        auto event = js::parse(*line).as_object();
        if (event.at("type").as_string() == type)
            return event;
    }
    FAIL("no event " << type << "\n" << log());
    return {};
}

std::unique_ptr<process> world::start_ctl(std::vector<std::string> arguments)
{
    program ctl;
    ctl.argv = {agentctl_path, "--socket", socket()};
    ctl.argv.insert(ctl.argv.end(), arguments.begin(), arguments.end());
    ctl.env = {{"PATH", "/usr/bin:/bin"}, {"HOME", scratch_ / "home"}};
    ctl.folder = workspace();
    ctl.stderr_file = scratch_ / "ctl.err";
    return std::make_unique<process>(ctl);
}

world::ctl_result world::ctl(std::vector<std::string> arguments)
{
    ::unlink((scratch_ / "ctl.err").c_str());
    const auto running = start_ctl(std::move(arguments));
    ctl_result got;
    got.out = running->read_all(patience());
    got.code = running->wait(patience()).value_or(-1);
    got.err = read_file(scratch_ / "ctl.err");
    return got;
}

js::value world::control(std::string_view method, const std::string& target)
{
    http_client model{model_url_, ca_file_};
    const auto reply = model.call(method, target);
    REQUIRE_MESSAGE(reply.status < 300,
        target << ": " << reply.status << " " << reply.body << "\n"
               << log());
    return reply.body.empty() ? js::value{} : js::parse(reply.body);
}

void world::await_model(const std::string& what)
{
    control(
        "GET", "/__control/wait?" + what + "&timeout_ms=" + std::to_string(patience().count() / 2));
}

void world::release(const std::string& hold)
{
    control("POST", "/__control/release/" + hold);
}

js::array world::requests(const std::string& conversation)
{
    auto found = control("GET",
        "/__control/requests" + (conversation.empty() ? "" : "?conversation=" + conversation));
    return found.is_array() ? found.as_array() : found.at("requests").as_array();
}

std::vector<std::string> world::model_faults()
{
    std::vector<std::string> faults;
    std::uint64_t after = 0;
    for (;;) {
        const auto found = control(
            "GET", "/__control/requests?bodies=0&limit=1000&after=" + std::to_string(after));
        const auto& page = found.is_array() ? found.as_array() : found.at("requests").as_array();
        for (const auto& request : page) {
            after = request.at("n").to_number<std::uint64_t>();
            if (request.at("outcome").as_string() != "answered")
                faults.push_back(js::serialize(request.at("violations")));
        }
        if (page.empty())
            return faults;
    }
}

void world::check_model_content()
{
    for (const auto& fault : model_faults())
        CHECK_MESSAGE(false, fault);
}

} // namespace agentd::testing
