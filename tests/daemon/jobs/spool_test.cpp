// The spool: what is kept, what is counted, and reading it live, afterwards and after a restart.
#include "jobs/spool_files.hpp"
#include "jobs/spool_read.hpp"
#include "tests/daemon/jobs/rig.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

using namespace agentd;
using namespace std::chrono_literals;
using testing::rig;
using testing::run_into;
using testing::with_rig;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
constexpr bool sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool sanitized = false;
#endif

constexpr std::string_view line = "0123456789abcde\n"; // 16 bytes: each offset says what is there

bool is_right(const jobs::piece& what)
{
    for (std::size_t i = 0; i < what.bytes.size(); ++i)
        if (what.bytes[i] != line[(what.offset + i) % line.size()])
            return false;
    return true;
}

std::string lines_of(std::size_t bytes)
{
    std::string text;
    while (text.size() < bytes)
        text += line;
    text.resize(bytes);
    return text;
}

std::size_t resident_bytes()
{
    std::istringstream figures{testing::read_text("/proc/self/statm")};
    std::size_t all = 0, resident = 0;
    figures >> all >> resident;
    return resident * 4096;
}

std::uint64_t bytes_in(const std::string& folder)
{
    std::uint64_t sum = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{folder})
        if (entry.is_regular_file())
            sum += entry.file_size();
    return sum;
}

// Files cannot grow for as long as it lives: what a full disk does.
class full_disk {
public:
    full_disk()
    {
        ::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &before_);
        rlimit none = before_;
        none.rlim_cur = 0;
        ::setrlimit(RLIMIT_FSIZE, &none);
    }
    ~full_disk()
    {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        ::signal(SIGXFSZ, SIG_DFL);
    }
    full_disk(const full_disk&) = delete;
    full_disk& operator=(const full_disk&) = delete;

private:
    rlimit before_{};
};

// Long enough apart for a disk that refused to be tried again.
base::wall_time at_second(int n)
{
    return base::wall_time{1'000'000'000s + std::chrono::seconds{n}};
}

// Reads from `offset` to the end of a job's output as a follower does.
aio::awaitable<> follow(jobs::spool& from, base::job_id id, std::string* text)
{
    for (;;) {
        const auto piece = co_await from.read(id, text->size(), 1000);
        if (!piece)
            co_return;
        text->append(piece->bytes);
        if (!piece->bytes.empty())
            continue;
        const auto more = co_await from.wait_for_more(id, text->size());
        if (more.ended && more.size <= text->size())
            co_return;
    }
}

// Reads all there is in pieces; checks each byte and that the gap is the one that was told.
aio::awaitable<> check_kept(
    jobs::spool& from, base::job_id id, std::uint64_t size, std::optional<jobs::byte_range> gap)
{
    std::uint64_t at = 0, left_out = 0;
    while (at < size) {
        const auto piece = co_await from.read(id, at, 100'000);
        REQUIRE(piece);
        CHECK(is_right(*piece));
        CHECK(piece->size == size);
        if (piece->gap) {
            CHECK(piece->gap->start == at);
            CHECK(piece->gap == gap);
            left_out += piece->gap->end - piece->gap->start;
        }
        REQUIRE(piece->next_offset > at);
        at = piece->next_offset;
    }
    CHECK(at == size);
    CHECK(left_out == (gap ? gap->end - gap->start : 0));
}

} // namespace

TEST_CASE("spool: a flood is capped; head, tail and gap are exact, memory is bounded")
{
    auto options = testing::quick();
    options.spool.job_bytes = 1U << 20;
    const auto test = [](rig& with) -> aio::awaitable<> {
        const auto warm = co_await with.run_job("yes 0123456789abcde | head -c 2000000");
        CHECK(warm.output_bytes == 2'000'000);
        const auto before = resident_bytes();
        constexpr std::uint64_t size = std::uint64_t{64} << 20;
        auto what = with.command("yes 0123456789abcde | head -c 67108864");
        const auto id = base::new_job_id();
        jobs::job one{with.strand, with.shared, id, std::move(what), jobs::place{}};
        const auto end = co_await one.run();
        if (!sanitized)
            CHECK(resident_bytes() < before + (std::size_t{4} << 20));
        CHECK(end.output_bytes == size);
        REQUIRE(end.gap);
        CHECK(end.gap->start == (1U << 20) / 4);
        const auto tail = size - end.gap->end;
        CHECK(tail <= (3U << 20) / 4);
        CHECK(tail >= (3U << 20) / 4 * 3 / 4);
        CHECK(end.output.head == lines_of(2000));
        CHECK(end.output.tail == lines_of(6000));
        CHECK(end.output.left_out == size - 8000);
        CHECK(bytes_in(with.spool_folder) <= 2U << 20);
        co_await check_kept(with.shared.spool, id, size, end.gap);

        const auto tail_piece = co_await with.shared.spool.read_tail(id, 1000);
        REQUIRE(tail_piece);
        CHECK(tail_piece->offset == size - 1000);
        CHECK(tail_piece->next_offset == size);
        CHECK(is_right(*tail_piece));
        CHECK_FALSE(tail_piece->gap);
        const auto lines = co_await with.shared.spool.read_lines(id, 3, 1000);
        REQUIRE(lines);
        CHECK(lines->bytes == lines_of(48));
        CHECK(lines->offset == size - 48);
    };
    with_rig(test, options);
}

TEST_CASE("spool: bytes are kept as they came, and read after a restart")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        auto what = with.command("head -c 300000 /dev/urandom | tee copy");
        const auto id = base::new_job_id();
        {
            jobs::job one{with.strand, with.shared, id, std::move(what), jobs::place{}};
            const auto end = co_await one.run();
            CHECK(end.output_bytes == 300'000);
        }
        const jobs::spool_options same{.folder = with.spool_folder};
        jobs::spool later{with.shared.io, same};
        REQUIRE(later.open());
        const auto all = co_await later.read(id, 0, 1'000'000);
        REQUIRE(all);
        CHECK(all->bytes == testing::read_text(with.folder + "/copy"));
        CHECK(all->next_offset == 300'000);
        const auto beyond = co_await later.read(id, 300'000, 1'000);
        REQUIRE(beyond);
        CHECK(beyond->bytes.empty());
        CHECK(beyond->next_offset == 300'000);
        const auto extent = co_await later.measure(id);
        CHECK(extent.size == 300'000);
        CHECK_FALSE(extent.gap);
        const auto ended = co_await later.wait_for_more(id, 300'000);
        CHECK(ended.ended);
        co_await later.remove(id);
        const auto dropped = co_await later.read(id, 10, 1'000, 300'000);
        REQUIRE(dropped);
        CHECK(dropped->gap == jobs::byte_range{10, 300'000});
        CHECK(dropped->next_offset == 300'000);
    });
}

TEST_CASE("spool: a follower sees output as it comes and the end when it ends")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        ::mkfifo((with.folder + "/go").c_str(), 0600);
        auto what = with.command("echo one; cat go; echo two; exit 5");
        const auto id = base::new_job_id();
        std::string text;
        jobs::outcome end;
        aio::task_group group{with.strand};
        jobs::job one{with.strand, with.shared, id, std::move(what), jobs::place{}};
        group.spawn_on(
            aio::make_strand(with.shared.io), "follower", follow(with.shared.spool, id, &text));
        group.spawn("job", run_into(one, &end));
        const auto has_one = [&text] { return text == "one\n"; };
        co_await testing::until(has_one);
        std::ofstream{with.folder + "/go"} << "between\n";
        co_await group.join();
        CHECK(text == "one\nbetween\ntwo\n");
        CHECK(end.exit_code == 5);
    });
}

TEST_CASE("spool: a follower of a job that never starts goes on when that is stopped")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        const auto id = base::new_job_id();
        auto what = with.command("echo never");
        jobs::job one{with.strand, with.shared, id, std::move(what), jobs::place{}};
        std::string text;
        aio::task_group group{with.strand};
        group.spawn("follower", follow(with.shared.spool, id, &text));
        co_await aio::sleep_for(1ms);
        CHECK(group.size() == 1);
        one.stop(jobs::stopped_by::user);
        const auto end = co_await one.run();
        CHECK(end.how == jobs::ended::killed);
        co_await group.join();
        CHECK(text.empty());
    });
}

TEST_CASE("spool: a disk that refuses makes a gap; the job goes on, and so does the log later")
{
    const testing::temp_folder folder;
    jobs::spool_folder files{folder.path() + "/jobs", 1U << 30};
    REQUIRE(files.open());
    const base::job_id id{"0123abcd"};
    jobs::spool_files log{files, id, 1U << 20};
    log.append(lines_of(1000), at_second(1));
    {
        const full_disk none;
        log.append(std::string(300, '?'), at_second(2));
    }
    CHECK(log.refusal() == EFBIG);
    log.append(std::string(200, '?'), at_second(2)); // too soon to try it again
    const auto rest = lines_of(2000);
    log.append(std::string_view{rest}.substr(1500), at_second(3));
    CHECK(log.refusal() == 0);
    {
        const full_disk none;
        log.append(std::string(300, '?'), at_second(4));
    }
    log.finish();
    CHECK(log.total() == 2300);
    CHECK(log.gap() == jobs::byte_range{1000, 2300});
    const auto first = jobs::read_piece(files, id, 0, 5000, 0);
    REQUIRE(first);
    CHECK(first->bytes == lines_of(1000));
    CHECK(first->size == 2300);
    const auto second = jobs::read_piece(files, id, 1000, 5000, 0);
    REQUIRE(second);
    CHECK(second->gap == jobs::byte_range{1000, 1500});
    CHECK(second->bytes == rest.substr(1500));
    CHECK(second->next_offset == 2000);
    const auto last = jobs::read_piece(files, id, 2000, 5000, 0);
    REQUIRE(last);
    CHECK(last->gap == jobs::byte_range{2000, 2300});
    CHECK(last->next_offset == 2300);
    const auto tail = jobs::read_last(files, id, 100, 0);
    REQUIRE(tail);
    CHECK(tail->bytes == rest.substr(1900));
    CHECK(tail->gap == jobs::byte_range{2000, 2300});
}

TEST_CASE("spool: a job whose output the disk refuses completes, with all of it a gap")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        std::optional<full_disk> none{std::in_place};
        const auto end = co_await with.run_job("yes 0123456789abcde | head -c 1000000; exit 3");
        none.reset();
        CHECK(end.how == jobs::ended::completed);
        CHECK(end.exit_code == 3);
        CHECK(end.output_bytes == 1'000'000);
        CHECK(end.gap == jobs::byte_range{0, 1'000'000});
        CHECK(end.output.head == lines_of(2000));
    });
}

TEST_CASE("spool: the folder's cap drops the oldest ended output, of earlier runs, too")
{
    const testing::temp_folder folder;
    const auto path = folder.path() + "/jobs";
    const auto write = [](jobs::spool_folder& into, const char* id) {
        jobs::spool_files log{into, base::job_id{id}, 1U << 20};
        log.append(lines_of(1000 - jobs::time_record_bytes), at_second(1));
        log.finish();
    };
    {
        jobs::spool_folder before{path, 1U << 20};
        REQUIRE(before.open());
        write(before, "00000001");
        write(before, "00000002");
    }
    const timespec old[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
    ::utimensat(AT_FDCWD, (path + "/00000001").c_str(), old, 0);
    jobs::spool_folder now{path, 3000};
    REQUIRE(now.open());
    write(now, "00000003");
    CHECK(now.used() == 3000);
    write(now, "00000004");
    CHECK(now.used() == 3000);
    CHECK(now.list(base::job_id{"00000001"}).empty());
    CHECK(now.list(base::job_id{"00000002"}).size() == 1);
    now.remove(base::job_id{"00000003"});
    CHECK(now.used() == 2000);
    // With nothing ended to drop, a running job drops its own oldest bytes.
    jobs::spool_files large{now, base::job_id{"00000005"}, 1U << 20};
    large.append(lines_of(5000), at_second(1));
    large.finish();
    CHECK(now.used() <= 3000);
    CHECK(large.gap());
    CHECK(bytes_in(path) <= 3000);
}

TEST_CASE("spool: the last lines of a text")
{
    const auto last = [](std::string text, std::size_t lines) {
        jobs::piece one;
        one.next_offset = text.size();
        one.bytes = std::move(text);
        jobs::keep_last_lines(one, lines);
        CHECK(one.offset + one.bytes.size() == one.next_offset);
        return one.bytes;
    };
    CHECK(last("a\nb\nc\n", 2) == "b\nc\n");
    CHECK(last("a\nb\nc", 2) == "b\nc");
    CHECK(last("a\nb\nc\n", 3) == "a\nb\nc\n");
    CHECK(last("a\nb\nc\n", 9) == "a\nb\nc\n");
    CHECK(last("a\n\n\n", 2) == "\n\n");
    CHECK(last("a\nb\n", 0).empty());
    CHECK(last("", 5).empty());
}
