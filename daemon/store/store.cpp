#include "store/store.hpp"

#include "base/unique_fd.hpp"
#include "store/reader.hpp"
#include "store/schema.hpp"
#include "store/writer.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <filesystem>

namespace agentd::store {
namespace {

errc condition_of(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT: return errc::no_space;
    case EIO:
    case EROFS: return errc::io;
    default: return errc::not_opened;
    }
}

base::error cannot(std::string_view what, int number)
{
    return {condition_of(number), base::system_error(what, number).text};
}

// The folder, ours alone. An existing one that others may enter is closed to them.
base::result<> make_folder(const std::string& folder)
{
    std::error_code failed;
    const auto above = std::filesystem::path{folder}.parent_path();
    if (!above.empty())
        std::filesystem::create_directories(above, failed);
    if (failed)
        return std::unexpected(cannot("make the state folder", failed.value()));
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
        return std::unexpected(cannot("make the state folder", errno));
    if (::chmod(folder.c_str(), 0700) != 0)
        return std::unexpected(cannot("close the state folder to others", errno));
    return {};
}

// Makes the database file with the mode that SQLite then gives its companions, whatever the
// umask. Closed before SQLite opens it: closing it later would drop SQLite's locks.
base::result<> make_file(const std::string& file, const std::string& folder)
{
    const base::unique_fd fd{::open(file.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600)};
    if (!fd && errno == EEXIST)
        return {};
    if (!fd || ::fchmod(fd.get(), 0600) != 0)
        return std::unexpected(cannot(fmt::format("make {}", file), errno));
    const base::unique_fd parent{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!parent || ::fsync(parent.get()) != 0) // its name survives a power loss
        return std::unexpected(cannot("sync the state folder", errno));
    return {};
}

std::string kernel_boot_id()
{
    const base::unique_fd fd{::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)};
    std::array<char, 64> text{};
    const auto size = fd ? ::read(fd.get(), text.data(), text.size()) : 0;
    std::string id(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    if (id.ends_with('\n'))
        id.pop_back();
    return id.empty() ? "unknown" : id;
}

class sqlite_store final : public store {
public:
    sqlite_store(
        std::unique_ptr<sqlite_connection> db, const std::string& file, const std::string& boot_id)
        : writer_(std::move(db), file, boot_id), reader_(file)
    {}

    void on_events(std::function<void(committed_events)> sink) override
    {
        writer_.on_events(std::move(sink));
    }
    [[nodiscard]] std::string degraded() const override { return writer_.degraded(); }
    [[nodiscard]] std::optional<seq_jump> jump() const override { return writer_.jump(); }

protected:
    void push_write(step name, durability keep, std::unique_ptr<unit_of_work> work) override
    {
        writer_.push(name, keep, std::move(work));
    }
    void push_read(std::unique_ptr<unit_of_work> work) override { reader_.push(std::move(work)); }

private:
    writer writer_;
    reader reader_; // ends first
};

} // namespace

base::result<std::unique_ptr<store>> store::open(const std::string& folder, options how)
{
    const auto file = folder + "/agentd.db";
    if (auto made = make_folder(folder); !made)
        return std::unexpected(std::move(made.error()));
    if (auto made = make_file(file, folder); !made)
        return std::unexpected(std::move(made.error()));
    try {
        auto db = std::make_unique<sqlite_connection>(file, sqlite_connection::role::writes);
        if (auto current = schema::migrate(*db, file, schema::steps()); !current)
            return std::unexpected(std::move(current.error()));
        const auto boot_id = how.boot_id.empty() ? kernel_boot_id() : how.boot_id;
        return std::make_unique<sqlite_store>(std::move(db), file, boot_id);
    } catch (const sqlite_error& e) {
        return std::unexpected(to_error(e));
    }
}

std::string_view error_text(errc condition)
{
    switch (condition) {
    case errc::no_space: return "the disk is full";
    case errc::io: return "the disk fails";
    case errc::corrupt: return "the database is damaged";
    case errc::newer: return "the state is from a newer version";
    case errc::not_opened: return "the state cannot be opened";
    case errc::closed: return "the state is being closed";
    case errc::overloaded: return "too much waits for the disk";
    case errc::failed: return "the transaction was undone";
    }
    return "unknown";
}

} // namespace agentd::store
