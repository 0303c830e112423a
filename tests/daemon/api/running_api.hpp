// The API's server over a real socket in a temporary folder, run by threads of its own, with
// fakes behind it.
#pragma once

#include "api/listener.hpp"
#include "api/server.hpp"
#include "tests/daemon/api/fakes.hpp"
#include "tests/daemon/api/http_client.hpp"

#include <boost/asio/io_context.hpp>

#include <thread>

namespace agentd::testing {

// A folder that goes away with its content.
class temp_dir {
public:
    temp_dir();
    ~temp_dir();
    temp_dir(const temp_dir&) = delete;
    temp_dir& operator=(const temp_dir&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

// Bounds with the daemon's own uid.
[[nodiscard]] api::options own_bounds();

class running_api {
public:
    explicit running_api(const api::options& bounds = own_bounds(), std::size_t threads = 2);
    ~running_api();
    running_api(const running_api&) = delete;
    running_api& operator=(const running_api&) = delete;

    [[nodiscard]] http_client client() const { return http_client{path_}; }
    // One call over a connection of its own.
    reply call(const std::string& method, const std::string& target, const std::string& body = {},
        const header_list& headers = {}) const;
    void stop(); // as the daemon would; once, or by the destructor

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] const std::string& folder() const { return folder_.path(); }
    // Goes on when there are so many connections; fails the test when it takes long.
    void await_connections(std::size_t count) const;

    fake_service service;
    fake_hub hub;
    fake_status status;

private:
    temp_dir folder_;
    std::string path_;
    boost::asio::io_context io_;
    aio::blocking_pool blocking_{1};
    std::optional<api::listener> listener_;

public:
    std::optional<api::server> server;

private:
    std::vector<std::thread> threads_;
};

// Goes on when `condition` holds; fails the test when it takes long.
void eventually(const std::function<bool()>& condition);

} // namespace agentd::testing
