// Writes down what went over the daemon's socket, for scripts/check-openapi: one JSON object
// a line, appended to the file that AGENTD_EXCHANGES names (unset: nothing is written).
// One write per line, so several tests may share a file.
#pragma once

#include "base/unique_fd.hpp"
#include "proto/json/writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace agentd::testing {

using header_list = std::vector<std::pair<std::string, std::string>>;

struct http_exchange {
    std::string method;
    std::string path;  // as written, without the query
    std::string query; // as written, without the question mark
    header_list request_headers;
    std::string request_body;
    int status = 0;
    header_list response_headers;
    std::string response_body; // without chunks
    std::string response_content_type;
};

inline std::string to_line(const http_exchange& what)
{
    std::string line;
    {
        proto::json::object_writer to{line};
        to.member("method", what.method).member("path", what.path).member("query", what.query);
        const auto add_headers = [&to](std::string_view name, const header_list& all) {
            auto inner = to.object(name);
            for (const auto& [key, value] : all)
                inner.member(key, value);
        };
        add_headers("request_headers", what.request_headers);
        to.member("request_body", what.request_body).member("status", what.status);
        add_headers("response_headers", what.response_headers);
        to.member("response_body", what.response_body);
        to.member("response_content_type", what.response_content_type);
    }
    line += '\n';
    return line;
}

inline void record(const http_exchange& what)
{
    const char* path = std::getenv("AGENTD_EXCHANGES"); // NOLINT: tests set no environment
    if (path == nullptr || *path == '\0')
        return;
    const base::unique_fd file{::open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)};
    const std::string line = to_line(what);
    [[maybe_unused]] const auto written = ::write(file.get(), line.data(), line.size());
}

} // namespace agentd::testing
