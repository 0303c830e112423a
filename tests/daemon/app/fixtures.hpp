// What the tests of app/ share: a fake environment and a folder of their own.
#pragma once

#include "app/environment.hpp"

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

namespace agentd::testing {

inline app::environment fake_environment(std::map<std::string, std::string> values)
{
    return [values](const std::string& name) -> std::optional<std::string> {
        const auto found = values.find(name);
        return found == values.end() || found->second.empty() ? std::nullopt
                                                              : std::optional{found->second};
    };
}

struct temp_folder {
    temp_folder()
    {
        char name[] = "/tmp/agentd-app-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~temp_folder() { std::filesystem::remove_all(path); }
    temp_folder(const temp_folder&) = delete;
    temp_folder& operator=(const temp_folder&) = delete;

    std::string path;
};

} // namespace agentd::testing
