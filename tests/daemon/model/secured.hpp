// Servers with TLS for the client's tests: a certificate, the file that makes it trusted, and
// what a server's thread has seen.
#pragma once

#include "tests/daemon/model/asked.hpp"
#include "tests/support/certificate.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace agentd::testing {

// A PEM file for one test.
class ca_file {
public:
    explicit ca_file(const std::string& pem)
    {
        std::string name = (std::filesystem::temp_directory_path() / "agentd-ca-XXXXXX").string();
        const int fd = ::mkstemp(name.data());
        REQUIRE(fd >= 0);
        ::close(fd);
        path_ = name;
        std::ofstream{path_} << pem;
    }
    ~ca_file() { std::filesystem::remove(path_); }
    ca_file(const ca_file&) = delete;
    ca_file& operator=(const ca_file&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

struct secured {
    explicit secured(const certificate_wish& wish = {},
        byte_server::script script = answering(streamed(text_stream())),
        const listen_wish& where = {})
        : made(make_certificate(wish)), ca(made.ca), server({std::move(script)}, made, where)
    {}

    [[nodiscard]] model::options options(std::string_view host = "localhost") const
    {
        auto with = options_for(server);
        with.base_url = server.url(host);
        with.ca_file = ca.path();
        with.retry_attempts = 2;
        return with;
    }

    certificate made;
    ca_file ca;
    byte_server server;
};

// Written by the server's thread, read by the test's.
class shared_text {
public:
    void set(std::string text)
    {
        const std::lock_guard hold{lock_};
        text_ = std::move(text);
    }
    [[nodiscard]] std::string get() const
    {
        const std::lock_guard hold{lock_};
        return text_;
    }

private:
    mutable std::mutex lock_;
    std::string text_ = "unset";
};

} // namespace agentd::testing
