#include "api/census.hpp"
#include "api/peer.hpp"
#include "tests/daemon/api/running_api.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <optional>

using namespace agentd;
using testing::own_bounds;
using testing::running_api;

namespace {

api::options shared_bounds(std::uint32_t own, std::uint32_t group)
{
    api::options bounds;
    bounds.own_uid = own;
    bounds.shared = true;
    bounds.group = group;
    return bounds;
}

api::peer someone(std::uint32_t uid, std::uint32_t gid, std::vector<std::uint32_t> groups = {})
{
    return {.pid = 1, .uid = uid, .gid = gid, .groups = std::move(groups)};
}

// What a child of this process, under another uid if one is given, gets for a request.
std::string answer_to_child(const std::string& path, std::optional<::uid_t> uid = {})
{
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const base::unique_fd from{ends[0]};
    base::unique_fd to{ends[1]};
    const ::pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::alarm(20);
        ::sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        constexpr std::string_view ask{"GET /v1/health HTTP/1.0\r\n\r\n"};
        char got[4096] = {};
        const bool dropped = !uid || ::setuid(*uid) == 0;
        if (!dropped ||
            ::connect(fd, reinterpret_cast<const ::sockaddr*>(&address), sizeof address) != 0 ||
            ::send(fd, ask.data(), ask.size(), 0) < 0 ||
            ::recv(fd, got, sizeof got, MSG_WAITALL) < 0 || ::write(to.get(), got, sizeof got) < 0)
            ::_exit(1);
        ::_exit(0);
    }
    to.reset();
    char got[4097] = {};
    CHECK(::read(from.get(), got, 4096) > 0);
    int ended = 0;
    CHECK(::waitpid(child, &ended, 0) == child);
    return got;
}

} // namespace

TEST_CASE("rights: the daemon's own uid and root may all")
{
    const auto bounds = own_bounds();
    const auto own = api::rights_of(someone(bounds.own_uid, 5), bounds);
    REQUIRE(own);
    CHECK(own->sees_all);
    const auto root = api::rights_of(someone(0, 0), bounds);
    REQUIRE(root);
    CHECK(root->sees_all);
    CHECK_FALSE(api::rights_of(someone(bounds.own_uid + 1, 5), bounds));
}

TEST_CASE("rights: with shared, members of the socket's group see their own")
{
    const auto bounds = shared_bounds(1000, 50);
    const auto primary = api::rights_of(someone(1001, 50), bounds);
    REQUIRE(primary);
    CHECK_FALSE(primary->sees_all);
    CHECK(primary->uid == 1001);
    CHECK(api::rights_of(someone(1001, 7, {8, 50}), bounds));
    CHECK_FALSE(api::rights_of(someone(1001, 7, {8}), bounds));
    auto without = bounds;
    without.group.reset();
    CHECK_FALSE(api::rights_of(someone(1001, 50), without));
}

TEST_CASE("rights: a socket's peer is known with its groups")
{
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const base::unique_fd left{ends[0]}, right{ends[1]};
    const auto who = api::peer_of(left.get());
    REQUIRE(who);
    CHECK(who->pid == ::getpid());
    CHECK(who->uid == ::getuid());
    CHECK(who->groups.size() == static_cast<std::size_t>(::getgroups(0, nullptr)));
    CHECK_FALSE(api::peer_of(-1));
}

TEST_CASE("rights: another uid is 403 for whatever it asks")
{
    if (::getuid() != 0)
        return; // only root can become another
    running_api api;
    std::filesystem::permissions(api.folder(), std::filesystem::perms::all);
    std::filesystem::permissions(api.path(), std::filesystem::perms::all);
    const auto answer = testing::parsed_reply(answer_to_child(api.path(), 54'321));
    CHECK(answer.status == 403);
    CHECK(answer.problem() == "forbidden");
    testing::note_get("/v1/health", answer);
}

TEST_CASE("rights: a process that the daemon has started is 403 from_job")
{
    running_api api;
    const auto answer = testing::parsed_reply(answer_to_child(api.path()));
    CHECK(answer.status == 403);
    CHECK(answer.problem() == "from_job");
    testing::note_get("/v1/health", answer);
    CHECK(api.call("GET", "/v1/health").status == 200); // we are no child of ours
}

TEST_CASE("rights: ancestry is followed over several generations")
{
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const base::unique_fd from{ends[0]}, to{ends[1]};
    const ::pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const ::pid_t grandchild = ::fork();
        if (grandchild == 0) {
            ::alarm(60);
            ::pause();
            ::_exit(0);
        }
        const bool told = ::write(to.get(), &grandchild, sizeof grandchild) > 0;
        ::alarm(60);
        ::pause();
        ::_exit(told ? 0 : 1);
    }
    ::pid_t grandchild = 0;
    REQUIRE(::read(from.get(), &grandchild, sizeof grandchild) == sizeof grandchild);
    CHECK(api::is_from_job(child, ::getpid()));
    CHECK(api::is_from_job(grandchild, ::getpid()));
    CHECK(api::is_from_job(grandchild, child));
    CHECK_FALSE(api::is_from_job(::getpid(), ::getpid()));
    CHECK_FALSE(api::is_from_job(child, grandchild));
    CHECK_FALSE(api::is_from_job(0, ::getpid()));
    ::kill(grandchild, SIGKILL);
    ::kill(child, SIGKILL);
    CHECK(::waitpid(child, nullptr, 0) == child);
}

TEST_CASE("census: strangers have a cap of their own, places come back")
{
    auto bounds = shared_bounds(1000, 50);
    bounds.connections = 4;
    bounds.connections_per_uid = 2;
    api::census clients{bounds};
    std::vector<api::census::seat> seats;
    const auto admit = [&](std::uint32_t uid) {
        auto seat = clients.admit(uid);
        if (!seat)
            return false;
        seats.push_back(std::move(*seat));
        return true;
    };
    CHECK(admit(2000));
    CHECK(admit(2000));
    CHECK_FALSE(admit(2000));
    CHECK(admit(1000));
    CHECK(admit(0));
    CHECK_FALSE(admit(0)); // all places are taken
    seats.clear();
    CHECK(clients.connections() == 0);
    CHECK(admit(2000));
}
