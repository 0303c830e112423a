// A temporary folder for one test, gone at its end, and what tests do with files.
#pragma once

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace agentd::testing {

class folder {
public:
    folder()
    {
        std::string name =
            (std::filesystem::temp_directory_path() / "agentd-tools-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = std::filesystem::canonical(name);
    }
    folder(const folder&) = delete;
    folder& operator=(const folder&) = delete;
    ~folder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] std::string path() const { return path_.string(); }
    [[nodiscard]] std::string operator/(std::string_view name) const
    {
        return (path_ / name).string();
    }
    void make_folder(std::string_view name) const
    {
        std::filesystem::create_directories(path_ / name);
    }
    void write(std::string_view name, std::string_view text) const
    {
        std::ofstream{path_ / name, std::ios::binary} << text;
    }
    void link(std::string_view name, const std::string& to) const
    {
        REQUIRE(::symlink(to.c_str(), (path_ / name).c_str()) == 0);
    }
    [[nodiscard]] std::string text(std::string_view name) const
    {
        std::ifstream in{path_ / name, std::ios::binary};
        return {std::istreambuf_iterator<char>{in}, {}};
    }
    [[nodiscard]] bool has(std::string_view name) const
    {
        return std::filesystem::exists(std::filesystem::symlink_status(path_ / name));
    }
    [[nodiscard]] bool is_link(std::string_view name) const
    {
        return std::filesystem::is_symlink(path_ / name);
    }
    [[nodiscard]] mode_t mode(std::string_view name) const
    {
        struct stat entry{};
        REQUIRE(::stat((path_ / name).c_str(), &entry) == 0);
        return entry.st_mode & 07777U;
    }
    // Entries at all depths.
    [[nodiscard]] std::size_t entries() const
    {
        const std::filesystem::recursive_directory_iterator all{path_};
        return static_cast<std::size_t>(std::distance(begin(all), end(all)));
    }

private:
    std::filesystem::path path_;
};

} // namespace agentd::testing
