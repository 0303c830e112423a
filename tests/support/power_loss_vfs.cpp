#include "tests/support/power_loss_vfs.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <random>
#include <string_view>
#include <vector>

namespace agentd::testing {
namespace {

constexpr std::size_t sector = 512;
constexpr int recorded_kinds = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;

struct change {
    std::size_t offset = 0; // of a truncation: the new size
    std::string bytes;
    bool truncates = false;

    void apply(std::string& to) const
    {
        if (truncates) {
            to.resize(std::min(to.size(), offset));
            return;
        }
        if (to.size() < offset + bytes.size())
            to.resize(offset + bytes.size());
        to.replace(offset, bytes.size(), bytes);
    }
};

// A file between two changes of its name in the folder; absent: no file.
struct generation {
    std::optional<std::string> durable;
    std::vector<change> unsynced;
};

struct shim_file {
    sqlite3_file base;
    power_loss_vfs::disk* disk;
    std::string* path; // of those that are recorded; else null
    // the real file follows
};

sqlite3_file* real_of(sqlite3_file* file)
{
    return reinterpret_cast<sqlite3_file*>(reinterpret_cast<shim_file*>(file) + 1);
}

} // namespace

struct power_loss_vfs::disk {
    sqlite3_vfs* real = nullptr;
    sqlite3_vfs shim{};
    syncs how{};

    std::recursive_mutex mutex; // of all below; `what` makes images inside
    std::mt19937_64 random;
    std::map<std::string, std::vector<generation>> files; // the last is as it is now
    std::size_t operations = 0;
    std::size_t every = 0;
    std::function<void()> what;

    void opened(const std::string& path, bool existed)
    {
        const std::lock_guard lock{mutex};
        auto& all = files[path];
        if (all.empty() && existed) {
            std::ifstream in{path, std::ios::binary};
            all.push_back({std::string{std::istreambuf_iterator<char>{in}, {}}, {}});
        } else if (all.empty() || !all.back().durable) {
            if (all.empty())
                all.push_back({});
            all.push_back({std::string{}, {}});
        }
    }
    void changed(const std::string& path, change one)
    {
        const std::lock_guard lock{mutex};
        files[path].back().unsynced.push_back(std::move(one));
        count();
    }
    void synced(const std::string& path)
    {
        const std::lock_guard lock{mutex};
        auto& now = files[path];
        // With the first sync of a new file SQLite syncs the folder: all names are as they are.
        if (now.size() > 1)
            for (auto& [name, all] : files)
                all.erase(all.begin(), all.end() - 1);
        for (const auto& one : now.back().unsynced)
            one.apply(*now.back().durable);
        now.back().unsynced.clear();
        count();
    }
    void removed(const std::string& path, bool durably)
    {
        const std::lock_guard lock{mutex};
        const auto found = files.find(path);
        if (found == files.end())
            return;
        if (durably)
            found->second.clear();
        found->second.push_back({});
        count();
    }
    void count()
    {
        ++operations;
        if (what && operations % every == 0)
            what();
    }

    bool coin() { return (random() & 1U) != 0; }
    std::string after_loss(const generation& of);
    void tear(const change& one, std::string& into);
};

std::string power_loss_vfs::disk::after_loss(const generation& of)
{
    std::string left = *of.durable;
    const auto& all = of.unsynced;
    switch (random() % 4) {
    case 0: break; // none of it
    case 1:        // a beginning of it, the last write torn
        for (std::size_t i = 0, end = all.empty() ? 0 : random() % (all.size() + 1); i < end; ++i)
            i + 1 == end ? tear(all[i], left) : all[i].apply(left);
        break;
    case 2: // the newest of it
        for (std::size_t i = all.empty() ? 0 : random() % all.size(); i < all.size(); ++i)
            all[i].apply(left);
        break;
    default: // any of it, in any order
        std::vector<const change*> order;
        for (const auto& one : all)
            if (coin())
                order.push_back(&one);
        std::ranges::shuffle(order, random);
        for (const auto* one : order)
            coin() ? one->apply(left) : tear(*one, left);
    }
    return left;
}

// Some sectors of a write arrive, others do not.
void power_loss_vfs::disk::tear(const change& one, std::string& into)
{
    if (one.truncates)
        return one.apply(into);
    for (std::size_t at = 0; at < one.bytes.size();) {
        const auto size = std::min(sector - (one.offset + at) % sector, one.bytes.size() - at);
        if (coin())
            change{one.offset + at, one.bytes.substr(at, size), false}.apply(into);
        at += size;
    }
}

namespace {

power_loss_vfs::disk& disk_of(sqlite3_vfs* vfs)
{
    return *static_cast<power_loss_vfs::disk*>(vfs->pAppData);
}

int close_file(sqlite3_file* file)
{
    delete reinterpret_cast<shim_file*>(file)->path; // NOLINT: SQLite owns the memory around it
    return real_of(file)->pMethods->xClose(real_of(file));
}
int read_file(sqlite3_file* file, void* into, int size, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), into, size, at);
}
int write_file(sqlite3_file* file, const void* from, int size, sqlite3_int64 at)
{
    const int done = real_of(file)->pMethods->xWrite(real_of(file), from, size, at);
    auto* self = reinterpret_cast<shim_file*>(file);
    if (done == SQLITE_OK && self->path != nullptr)
        self->disk->changed(*self->path,
            {static_cast<std::size_t>(at),
                {static_cast<const char*>(from), static_cast<std::size_t>(size)}, false});
    return done;
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size)
{
    const int done = real_of(file)->pMethods->xTruncate(real_of(file), size);
    auto* self = reinterpret_cast<shim_file*>(file);
    if (done == SQLITE_OK && self->path != nullptr)
        self->disk->changed(*self->path, {static_cast<std::size_t>(size), {}, true});
    return done;
}
int sync_file(sqlite3_file* file, int flags)
{
    const int done = real_of(file)->pMethods->xSync(real_of(file), flags);
    auto* self = reinterpret_cast<shim_file*>(file);
    if (done == SQLITE_OK && self->path != nullptr)
        self->disk->synced(*self->path);
    return done;
}
int file_size(sqlite3_file* file, sqlite3_int64* size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}
int lock_file(sqlite3_file* file, int how)
{
    return real_of(file)->pMethods->xLock(real_of(file), how);
}
int unlock_file(sqlite3_file* file, int how)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), how);
}
int check_lock(sqlite3_file* file, int* held)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), held);
}
int control_file(sqlite3_file* file, int what, void* with)
{
    const auto* self = reinterpret_cast<shim_file*>(file);
    if (what == SQLITE_FCNTL_PRAGMA && self->disk->how == power_loss_vfs::syncs::off) {
        auto** words = static_cast<char**>(with); // result, name, value
        if (std::string_view{words[1]} == "synchronous" && words[2] != nullptr)
            std::memcpy(words[2], "OFF", 4); // over FULL or NORMAL, before SQLite reads it
    }
    return real_of(file)->pMethods->xFileControl(real_of(file), what, with);
}
int sector_size(sqlite3_file* file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}
int traits(sqlite3_file* file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}
int map_index(sqlite3_file* file, int page, int size, int extend, volatile void** at)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, at);
}
int lock_index(sqlite3_file* file, int offset, int n, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}
void index_barrier(sqlite3_file* file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}
int unmap_index(sqlite3_file* file, int remove)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

// Version 2: nothing is mapped but the wal-index, whose content never outlives a power loss.
constexpr sqlite3_io_methods methods{2, close_file, read_file, write_file, truncate_file, sync_file,
    file_size, lock_file, unlock_file, check_lock, control_file, sector_size, traits, map_index,
    lock_index, index_barrier, unmap_index, nullptr, nullptr};

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out)
{
    auto& disk = disk_of(vfs);
    auto* self = new (file) shim_file{{nullptr}, &disk, nullptr};
    const bool recorded = name != nullptr && (flags & recorded_kinds) != 0;
    const bool existed = recorded && std::filesystem::exists(name);
    const int done = disk.real->xOpen(disk.real, name, real_of(file), flags, out);
    if (real_of(file)->pMethods == nullptr)
        return done;
    self->base.pMethods = &methods;
    if (recorded && done == SQLITE_OK) {
        self->path = new std::string{name}; // NOLINT: close_file() ends it
        disk.opened(*self->path, existed);
    }
    return done;
}
int delete_file(sqlite3_vfs* vfs, const char* name, int sync_folder)
{
    auto& disk = disk_of(vfs);
    const int done = disk.real->xDelete(disk.real, name, sync_folder);
    if (done == SQLITE_OK)
        disk.removed(name, sync_folder != 0);
    return done;
}

} // namespace

power_loss_vfs::power_loss_vfs(std::uint64_t seed, syncs how) : disk_(std::make_unique<disk>())
{
    disk_->random.seed(seed);
    disk_->how = how;
    disk_->real = sqlite3_vfs_find(nullptr);
    disk_->shim = *disk_->real; // what is not about files is the real one's
    disk_->shim.pNext = nullptr;
    disk_->shim.zName = "power-loss";
    disk_->shim.szOsFile = static_cast<int>(sizeof(shim_file)) + disk_->real->szOsFile;
    disk_->shim.pAppData = disk_.get();
    disk_->shim.xOpen = open_file;
    disk_->shim.xDelete = delete_file;
    // These get the real one's own data, not ours.
    disk_->shim.xAccess = [](sqlite3_vfs* vfs, const char* name, int flags, int* out) {
        return disk_of(vfs).real->xAccess(disk_of(vfs).real, name, flags, out);
    };
    disk_->shim.xFullPathname = [](sqlite3_vfs* vfs, const char* name, int size, char* out) {
        return disk_of(vfs).real->xFullPathname(disk_of(vfs).real, name, size, out);
    };
    sqlite3_vfs_register(&disk_->shim, 1);
}

power_loss_vfs::~power_loss_vfs()
{
    sqlite3_vfs_unregister(&disk_->shim);
    sqlite3_vfs_register(disk_->real, 1);
}

void power_loss_vfs::at_each(std::size_t every, std::function<void()> what)
{
    const std::lock_guard lock{disk_->mutex};
    disk_->every = every;
    disk_->what = std::move(what);
}

std::size_t power_loss_vfs::operations() const
{
    const std::lock_guard lock{disk_->mutex};
    return disk_->operations;
}

void power_loss_vfs::write_image(const std::string& folder, kept how)
{
    const std::lock_guard lock{disk_->mutex};
    std::filesystem::create_directories(folder);
    for (const auto& [path, all] : disk_->files) {
        const auto* which = &all.back();
        if (how == kept::some)
            which = &all[disk_->random() % all.size()];
        if (!which->durable)
            continue;
        std::string left = *which->durable;
        if (how == kept::some)
            left = disk_->after_loss(*which);
        else
            for (const auto& one : which->unsynced)
                one.apply(left);
        std::ofstream{folder / std::filesystem::path{path}.filename(), std::ios::binary} << left;
    }
    if (how == kept::some && disk_->coin()) {
        std::string garbage(disk_->random() % 65'536, '\0');
        std::ranges::generate(garbage, [this] { return static_cast<char>(disk_->random()); });
        std::ofstream{folder + "/agentd.db-shm", std::ios::binary} << garbage;
    }
}

} // namespace agentd::testing
