#include "tests/daemon/api/running_api.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/use_future.hpp>

#include <doctest/doctest.h>

#include <poll.h>

#include <cstdlib>
#include <filesystem>

namespace agentd::testing {

temp_dir::temp_dir()
{
    std::string name{"/tmp/agentd-api-XXXXXX"};
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
}

temp_dir::~temp_dir()
{
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

api::options own_bounds()
{
    api::options bounds;
    bounds.own_uid = ::getuid();
    return bounds;
}

running_api::running_api(const api::options& bounds, std::size_t threads)
    : path_(folder_.path() + "/agentd.sock")
{
    auto made = api::open_listener(path_, {});
    REQUIRE(made);
    listener_.emplace(std::move(*made));
    const api::parts parts{&service, &hub, &status, &blocking_};
    server.emplace(io_.get_executor(), listener_->take_socket(), parts, bounds);
    server->start();
    for (std::size_t i = 0; i < threads; ++i)
        threads_.emplace_back([this] {
            const auto work = boost::asio::make_work_guard(io_);
            io_.run();
        });
}

void running_api::stop()
{
    if (threads_.empty())
        return;
    boost::asio::co_spawn(io_, server->stop(), boost::asio::use_future).get();
    io_.stop();
    for (auto& thread : threads_)
        thread.join();
    threads_.clear();
}

running_api::~running_api()
{
    stop();
}

reply running_api::call(const std::string& method, const std::string& target,
    const std::string& body, const header_list& headers) const
{
    return client().call(method, target, body, headers);
}

void running_api::await_connections(std::size_t count) const
{
    eventually([this, count] { return server->connections() == count; });
}

void eventually(const std::function<bool()>& condition)
{
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (!condition() && std::chrono::steady_clock::now() < until)
        ::poll(nullptr, 0, 1);
    REQUIRE(condition());
}

} // namespace agentd::testing
