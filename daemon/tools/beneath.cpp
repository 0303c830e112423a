#include "tools/beneath.hpp"

#include "tools/error.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <utility>

namespace agentd::tools {
namespace {

constexpr int folder_flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
constexpr std::size_t most_links = 40;   // as the kernel has it
constexpr std::size_t deepest = 256;     // folders held open at once by a walk
constexpr mode_t new_folder_mode = 0777; // the umask takes its part

std::unexpected<std::error_code> failure(int number)
{
    return std::unexpected(std::error_code{number, std::generic_category()});
}

std::unexpected<std::error_code> escape()
{
    return std::unexpected(make_error_code(errc::escapes_workspace));
}

// The parts of a path in reverse order, without empty ones and ".". A path that ends in "/"
// or "." means a folder: "." stays as its last part.
std::vector<std::string> reversed_parts(std::string_view path)
{
    std::vector<std::string> parts;
    const bool folder = path.ends_with('/') || path == "." || path.ends_with("/.");
    if (folder)
        parts.emplace_back(".");
    while (!path.empty()) {
        const auto slash = path.rfind('/');
        const auto part = path.substr(slash + 1); // npos + 1 == 0
        if (!part.empty() && part != ".")
            parts.emplace_back(part);
        path = path.substr(0, slash == std::string_view::npos ? 0 : slash);
    }
    return parts;
}

base::unique_fd open_beneath(int root, const char* path, int flags)
{
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    return base::unique_fd{static_cast<int>(::syscall(SYS_openat2, root, path, &how, sizeof how))};
}

// The common case in two calls: the folder is there and its entry is no link.
std::optional<place> find_quickly(const root_folder& root, std::string_view relative)
{
    const auto slash = relative.rfind('/');
    const std::string name{relative.substr(slash + 1)}; // npos + 1 == 0
    const bool top = slash == std::string_view::npos;
    const std::string parent{top ? std::string_view{"."} : relative.substr(0, slash)};
    const bool folder_itself = name.empty() || name == "." || name == "..";
    if (root.found_by == way::walk || folder_itself || parent.empty())
        return std::nullopt;
    auto folder = open_beneath(root.fd.get(), parent.c_str(), folder_flags);
    if (!folder)
        return std::nullopt;
    struct stat entry{};
    const int seen = ::fstatat(folder.get(), name.c_str(), &entry, AT_SYMLINK_NOFOLLOW);
    if (seen != 0 ? errno != ENOENT : S_ISLNK(entry.st_mode))
        return std::nullopt;
    return place{std::move(folder), name};
}

// The long way: folder by folder, links taken apart here.
class walk {
public:
    walk(const root_folder& root, missing_folders parents) : root_(root), parents_(parents) {}

    std::expected<place, std::error_code> to(std::string_view relative)
    {
        todo_ = reversed_parts(relative);
        while (!todo_.empty()) {
            const std::string part = std::exchange(todo_.back(), {});
            todo_.pop_back();
            if (part == ".")
                continue;
            if (part == "..") {
                if (folders_.empty())
                    return escape();
                folders_.pop_back();
                continue;
            }
            struct stat entry{};
            const int seen = ::fstatat(here(), part.c_str(), &entry, AT_SYMLINK_NOFOLLOW);
            if (seen != 0 && errno != ENOENT)
                return failure(errno);
            if (seen == 0 && S_ISLNK(entry.st_mode)) {
                if (const auto failed = follow(part))
                    return std::unexpected(failed);
            } else if (todo_.empty()) {
                return at(part);
            } else if (const auto failed = enter(part, seen == 0)) {
                return std::unexpected(failed);
            }
        }
        return at(".");
    }

private:
    [[nodiscard]] int here() const
    {
        return folders_.empty() ? root_.fd.get() : folders_.back().get();
    }

    [[nodiscard]] std::expected<place, std::error_code> at(std::string name) const
    {
        base::unique_fd folder{::openat(here(), ".", folder_flags)};
        if (!folder)
            return failure(errno);
        return place{std::move(folder), std::move(name)};
    }

    // Puts a link's target in place of its name.
    std::error_code follow(const std::string& name)
    {
        if (++links_ > most_links)
            return {ELOOP, std::generic_category()};
        std::array<char, PATH_MAX> buffer{};
        const auto length = ::readlinkat(here(), name.c_str(), buffer.data(), buffer.size());
        if (length < 0)
            return retry(name, errno);
        std::string target{buffer.data(), static_cast<std::size_t>(length)};
        if (target.starts_with('/')) {
            auto inside = below(target, root_.names);
            if (!inside)
                return make_error_code(errc::escapes_workspace);
            target = std::move(*inside);
            folders_.clear();
        }
        const auto parts = reversed_parts(target);
        todo_.insert(todo_.end(), parts.begin(), parts.end());
        return {};
    }

    // Goes down into the folder `name`, making it first if that is wanted.
    std::error_code enter(const std::string& name, bool exists)
    {
        if (folders_.size() == deepest)
            return {ENAMETOOLONG, std::generic_category()};
        if (!exists) {
            if (parents_ == missing_folders::refuse)
                return {ENOENT, std::generic_category()};
            if (::mkdirat(here(), name.c_str(), new_folder_mode) != 0 && errno != EEXIST)
                return {errno, std::generic_category()};
        }
        base::unique_fd next{::openat(here(), name.c_str(), folder_flags | O_NOFOLLOW)};
        if (!next)
            return retry(name, errno);
        folders_.push_back(std::move(next));
        return {};
    }

    // Something else than what was looked at is there now: looks again, but not for ever.
    std::error_code retry(const std::string& name, int number)
    {
        const bool changed =
            number == ENOTDIR || number == ELOOP || number == EINVAL || number == ENOENT;
        if (!changed || ++links_ > most_links)
            return {number, std::generic_category()};
        struct stat entry{};
        const int seen = ::fstatat(here(), name.c_str(), &entry, AT_SYMLINK_NOFOLLOW);
        if (seen == 0 && !S_ISLNK(entry.st_mode) && !S_ISDIR(entry.st_mode))
            return {number, std::generic_category()};
        todo_.push_back(name);
        return {};
    }

    const root_folder& root_;
    missing_folders parents_;
    std::vector<base::unique_fd> folders_; // below the root, down to here
    std::vector<std::string> todo_;        // what is left of the path, next one last
    std::size_t links_ = 0;                // followed, and looks taken again
};

} // namespace

std::optional<std::string> below(std::string_view path, const std::vector<std::string>& names)
{
    for (const auto& name : names) {
        auto wanted = reversed_parts(name);
        std::erase(wanted, "."); // of "/" and "/a/"
        auto rest = path;
        bool same = path.starts_with('/');
        while (same && !wanted.empty()) {
            while (rest.starts_with('/') || rest == "." || rest.starts_with("./"))
                rest.remove_prefix(1);
            const auto part = rest.substr(0, rest.find('/'));
            same = part == wanted.back();
            wanted.pop_back();
            rest.remove_prefix(part.size());
        }
        if (!same)
            continue;
        while (rest.starts_with('/'))
            rest.remove_prefix(1);
        return std::string{rest.empty() ? std::string_view{"."} : rest};
    }
    return std::nullopt;
}

std::expected<place, std::error_code> find_beneath(
    const root_folder& root, std::string_view relative, missing_folders parents)
{
    if (auto found = find_quickly(root, relative))
        return std::move(*found);
    return walk{root, parents}.to(relative);
}

} // namespace agentd::tools
