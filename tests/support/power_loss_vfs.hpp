// A disk that may lose its power at any moment: a file system layer for SQLite over the default
// one. It passes everything on, and keeps for each file what is durable and what was written
// since its last sync; from that it makes what a disk could hold if the power went now: some of
// the unsynced writes, torn at sectors, in any order; files back that were deleted; a wal-index
// of garbage. Callable from any thread; all connections of the process go through it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace agentd::testing {

class power_loss_vfs {
public:
    enum class syncs { kept, off }; // off: every connection gets PRAGMA synchronous = OFF

    // The default file system of SQLite from now on, until its end. No connection is open at
    // either moment.
    power_loss_vfs(std::uint64_t seed, syncs how);
    ~power_loss_vfs();
    power_loss_vfs(const power_loss_vfs&) = delete;
    power_loss_vfs& operator=(const power_loss_vfs&) = delete;

    // `what` runs after every `every`th write, truncation, sync or deletion, inside it.
    void at_each(std::size_t every, std::function<void()> what);
    [[nodiscard]] std::size_t operations() const;

    enum class kept { all, some }; // what becomes of the unsynced: a killed process, a power loss
    // Writes into FOLDER what would be there of every file if the power (or the process) ended
    // now. Inside `what` only.
    void write_image(const std::string& folder, kept how);

    struct disk;

private:
    std::unique_ptr<disk> disk_;
};

} // namespace agentd::testing
