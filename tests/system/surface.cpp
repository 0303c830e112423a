#include "tests/system/surface.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <grp.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace agentd::testing {
namespace {

constexpr std::string_view problem_prefix = "urn:agentd:problem:";

std::string member_of(const http_reply& reply, std::string_view name)
{
    if (!reply.header("Content-Type").starts_with("application/problem+json"))
        return {};
    const auto body = js::parse(reply.body).as_object();
    const auto* value = body.if_contains(name);
    return value != nullptr && value->is_string() ? std::string{value->as_string()} : std::string{};
}

} // namespace

std::string problem_of(const http_reply& reply)
{
    const auto type = member_of(reply, "type");
    return type.starts_with(problem_prefix) ? type.substr(problem_prefix.size()) : std::string{};
}

std::string field_of(const http_reply& reply)
{
    return member_of(reply, "field");
}

http_reply expect(http_client& by, const call_row& what)
{
    auto reply = by.call(what.method, what.target, what.body, what.headers);
    CHECK_MESSAGE(reply.status == what.status,
        what.method << " " << what.target << " " << what.body.substr(0, 200) << ": " << reply.status
                    << " " << reply.body.substr(0, 500));
    CHECK_MESSAGE(problem_of(reply) == what.problem,
        what.method << " " << what.target << ": " << reply.body.substr(0, 500));
    return reply;
}

void expect_all(world& w, const std::vector<call_row>& rows)
{
    auto client = w.connect();
    for (const auto& row : rows)
        static_cast<void>(expect(client, row));
}

js::object hello_to_all()
{
    js::object all;
    all["default"] = {{"steps", js::array{step({say("Hello.")})}}, {"then", "repeat_last"}};
    return all;
}

std::vector<std::string> jobs_of(world& w, const std::string& task)
{
    std::vector<std::string> ids;
    const auto page = w.json(200, "GET", "/v1/jobs?task_id=" + task);
    for (const auto& job : page.at("items").as_array())
        ids.emplace_back(job.at("id").as_string());
    std::ranges::reverse(ids);
    return ids;
}

other_user::other_user(uid_t uid, gid_t gid)
{
    groups_.resize(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
    REQUIRE(::getgroups(static_cast<int>(groups_.size()), groups_.data()) >= 0);
    REQUIRE(::setgroups(0, nullptr) == 0);
    REQUIRE(::setegid(gid) == 0);
    REQUIRE(::seteuid(uid) == 0);
}

other_user::~other_user()
{
    const bool back = ::seteuid(::getuid()) == 0 && ::setegid(::getgid()) == 0 &&
        ::setgroups(groups_.size(), groups_.data()) == 0;
    CHECK(back);
}

void edit_state(world& w, const std::string& sql)
{
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open((w.state_folder() + "/agentd.db").c_str(), &db) == SQLITE_OK);
    char* why = nullptr;
    const int done = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &why);
    CHECK_MESSAGE(done == SQLITE_OK, (why == nullptr ? "" : why));
    sqlite3_free(why);
    sqlite3_close(db);
}

program_end run_program(
    std::vector<std::string> argv, const scratch_folder& in, std::map<std::string, std::string> env)
{
    program what;
    what.argv = std::move(argv);
    what.env = std::move(env);
    what.env.try_emplace("PATH", "/usr/bin:/bin");
    what.env.try_emplace("HOME", in.path());
    what.folder = in.path();
    what.stderr_file = in / "stderr";
    ::unlink(what.stderr_file.c_str());
    process running{what};
    program_end end;
    end.out = running.read_all(patience());
    end.code = running.wait(patience()).value_or(-1);
    end.err = read_file(what.stderr_file);
    return end;
}

std::int64_t number_at(const std::string& text, std::size_t at)
{
    const auto begin = std::min(text.find_first_of("0123456789", at), text.size());
    std::int64_t number = -1;
    std::from_chars(text.data() + begin, text.data() + text.size(), number);
    REQUIRE(number >= 0);
    return number;
}

std::size_t resident_bytes(pid_t pid)
{
    const auto status = read_file("/proc/" + std::to_string(pid) + "/status");
    const auto at = status.find("VmRSS:");
    REQUIRE(at != std::string::npos);
    return static_cast<std::size_t>(number_at(status, at + 6)) * 1024;
}

} // namespace agentd::testing
