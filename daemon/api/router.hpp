// Which handler answers which method and path: a table. Pure; any thread.
#pragma once

#include "api/handlers.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace agentd::api {

struct match {
    handler answer = nullptr; // null: no such path, or no such method for it
    std::string id;           // what stands for {id}
    std::string allow;        // the methods of the path; empty: no such path
};

[[nodiscard]] match find_route(std::string_view method, const std::vector<std::string>& path);

} // namespace agentd::api
