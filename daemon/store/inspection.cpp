#include "store/inspection.hpp"

#include "base/check_limits.hpp"
#include "base/unique_fd.hpp"
#include "store/read_only.hpp"
#include "store/schema.hpp"
#include "store/seq_mark.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

namespace agentd::store {
namespace {

// The log's head and pages (https://www.sqlite.org/fileformat2.html#the_write_ahead_log).
constexpr std::size_t log_head = 32;
constexpr std::uint64_t page_head = 24;
constexpr std::uint32_t log_magic = 0x377f0682; // or one more

std::uint32_t big_endian(const unsigned char* at)
{
    return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 |
        at[3];
}

// The beginning of the log's index, written twice (https://www.sqlite.org/walformat.html#walidx).
constexpr std::size_t index_head = 48;
constexpr std::size_t salt_bytes = 8; // tells one log from the next in the same file

using head_bytes = std::array<unsigned char, log_head>;
using index_bytes = std::array<unsigned char, 2 * index_head>;

// How many pages the index knows of; 0: it is of another log, or being written.
std::uint64_t known_to(const index_bytes& index, const head_bytes& log)
{
    constexpr std::size_t pages_at = 16;
    constexpr std::size_t salt_at = 32;
    const std::span whole{index};
    const bool steady = std::ranges::equal(whole.first(index_head), whole.last(index_head));
    const bool same = std::ranges::equal(
        whole.subspan(salt_at, salt_bytes), std::span{log}.subspan(16, salt_bytes));
    std::uint32_t pages = 0; // in the byte order of the machine
    std::memcpy(&pages, index.data() + pages_at, sizeof pages);
    return steady && same ? pages : 0;
}

index_bytes read_index(const std::string& path, bool& there)
{
    index_bytes bytes{};
    const base::unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    there = file || errno != ENOENT;
    if (file && ::pread(file.get(), bytes.data(), bytes.size(), 0) != ssize_t{bytes.size()})
        bytes = {};
    return bytes;
}

void read_head(log_file& into, const head_bytes& head)
{
    const auto page = big_endian(head.data() + 8);
    const bool power_of_two = page >= 512 && page <= 65536 && (page & (page - 1)) == 0;
    into.no_log = (big_endian(head.data()) & ~1U) != log_magic || !power_of_two;
    if (into.no_log)
        return;
    into.pages = (into.bytes - log_head) / (page_head + page);
    into.cut_off = (into.bytes - log_head) % (page_head + page) != 0;
}

inspection look(read_only_database& db, std::chrono::milliseconds patience)
{
    inspection found;
    found.known = static_cast<std::int64_t>(schema::steps().size());
    found.version = db.number("PRAGMA user_version").value_or(0);
    const auto tables = db.number("SELECT count(*) FROM sqlite_schema").value_or(0);
    const bool empty = tables == 0 && found.version == 0;
    found.foreign = !empty && db.number("PRAGMA application_id") != schema::application_id;
    if (!empty && !found.foreign) {
        found.in_use = db.number("SELECT boot_id <> '' FROM meta").value_or(0) != 0;
        found.newest =
            static_cast<base::event_seq>(db.number("SELECT max(seq) FROM events").value_or(0));
    }
    auto pages = db.check_pages(limits::check_complaints, patience);
    found.checked = pages.finished;
    found.complaints = std::move(pages.complaints);
    return found;
}

} // namespace

base::result<log_file> look_at_log(const std::string& folder)
{
    log_file found;
    // First, since the log may grow meanwhile.
    const auto index = read_index(folder + "/agentd.db-shm", found.index_there);
    const auto path = folder + "/agentd.db-wal";
    const base::unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file && errno == ENOENT)
        return found;
    struct stat is{};
    if (!file || ::fstat(file.get(), &is) != 0)
        return std::unexpected(
            base::error{errc::io, base::system_error("read " + path, errno).text});
    found.there = true;
    found.bytes = static_cast<std::uint64_t>(is.st_size);
    head_bytes head{};
    const auto n = ::pread(file.get(), head.data(), head.size(), 0);
    if (n < 0)
        return std::unexpected(
            base::error{errc::io, base::system_error("read " + path, errno).text});
    found.no_log = n != 0;
    if (static_cast<std::size_t>(n) == head.size()) {
        read_head(found, head);
        found.known = known_to(index, head);
    }
    return found;
}

base::result<inspection> inspect(
    const std::string& folder, company with, std::chrono::milliseconds patience)
{
    const auto log = look_at_log(folder);
    if (!log)
        return std::unexpected(log.error());
    auto how = read_only_database::access::shared;
    if (with == company::none)
        how = log->bytes == 0 ? read_only_database::access::without_log
                              : read_only_database::access::alone;
    auto db = read_only_database::open(folder + "/agentd.db", how);
    if (!db)
        return std::unexpected(std::move(db.error()));
    const auto given = newest_given(folder + "/agentd.db-seq"); // before the events are read
    auto found = look(*db, patience);
    found.given = given;
    if (const auto failure = db->failure())
        return std::unexpected(*failure);
    found.without_log = how == read_only_database::access::without_log;
    return found;
}

} // namespace agentd::store
