#include "tests/system/remains.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <sstream>

namespace agentd::testing {

std::map<std::string, int> descriptors(pid_t daemon)
{
    std::map<std::string, int> kinds;
    const auto folder = fmt::format("/proc/{}/fd", daemon);
    for (const auto& entry : std::filesystem::directory_iterator{folder}) {
        std::error_code gone;
        auto target = std::filesystem::read_symlink(entry.path(), gone).string();
        if (gone || target.starts_with("socket:"))
            continue;
        if (target.starts_with("pipe:"))
            target = "pipe";
        ++kinds[target];
    }
    return kinds;
}

std::string children(pid_t daemon)
{
    std::string all;
    const auto folder = fmt::format("/proc/{}/task", daemon);
    for (const auto& entry : std::filesystem::directory_iterator{folder})
        all += read_file(entry.path().string() + "/children");
    return all;
}

std::string more_than(const std::string& before, const std::string& after)
{
    std::string all;
    std::istringstream numbers{after};
    for (std::string number; numbers >> number;)
        if ((" " + before).find(" " + number + " ") == std::string::npos)
            all += number + " ";
    return all;
}

std::string marked(const std::string& text)
{
    std::string all;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
        const auto name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") == name.npos &&
            read_file("/proc/" + name + "/environ").find(text) != std::string::npos)
            all += " " + name;
    }
    return all;
}

std::string populated_groups(const std::string& subtree)
{
    std::string all;
    if (subtree.empty())
        return all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{subtree})
        if (entry.is_directory() &&
            read_file(entry.path().string() + "/cgroup.events").find("populated 1") !=
                std::string::npos)
            all += " " + entry.path().filename().string();
    return all;
}

std::string difference(
    const std::map<std::string, int>& before, const std::map<std::string, int>& after)
{
    std::string text;
    for (const auto& [kind, count] : after) {
        const auto known = before.find(kind);
        const int had = known == before.end() ? 0 : known->second;
        if (count > had)
            text += fmt::format("{} more of {}; ", count - had, kind);
    }
    return text;
}

} // namespace agentd::testing
