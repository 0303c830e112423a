// When output came: the side files, their bound, and reading them live, afterwards and after a
// restart.
#include "jobs/spool_files.hpp"
#include "jobs/spool_read.hpp"
#include "jobs/spool_times.hpp"
#include "jobs/spool_trouble.hpp"
#include "tests/daemon/jobs/rig.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

using namespace agentd;
using namespace std::chrono_literals;
using jobs::time_mark;
using testing::rig;
using testing::with_rig;

namespace {

base::wall_time at_ms(std::int64_t n)
{
    return base::wall_time{1'700'000'000'000ms + std::chrono::milliseconds{n}};
}

base::unique_fd open_file(const std::string& path, int flags)
{
    return base::unique_fd{::open(path.c_str(), flags | O_CLOEXEC, 0600)};
}

// The time of a byte as `marks` have it; the epoch: unknown.
base::wall_time time_of(const std::vector<time_mark>& marks, std::uint64_t offset)
{
    base::wall_time when{};
    for (const auto& one : marks)
        if (one.offset <= offset)
            when = one.when;
    return when;
}

} // namespace

TEST_CASE("spool times: a record is an offset and ms, little endian; one cut off says nothing")
{
    const testing::temp_folder folder;
    const auto path = folder.path() + "/times";
    jobs::times_file times{open_file(path, O_WRONLY | O_CREAT), 1U << 20};
    times.note(5, at_ms(7));
    times.note(300, at_ms(9));
    CHECK(times.finish());
    CHECK(times.bytes() == 32);
    const auto bytes = testing::read_text(path);
    REQUIRE(bytes.size() == 32);
    CHECK(bytes.substr(0, 8) == std::string("\x05\0\0\0\0\0\0\0", 8));
    CHECK(bytes.substr(8, 8) == std::string("\x07\x68\xe5\xcf\x8b\x01\0\0", 8)); // 1700000000007
    CHECK(bytes.substr(16, 8) == std::string("\x2c\x01\0\0\0\0\0\0", 8));
    std::ofstream{path, std::ios::app} << "cut off";
    const auto read = [&path](std::uint64_t start, std::uint64_t end) {
        return jobs::read_times(open_file(path, O_RDONLY), start, end);
    };
    CHECK(read(5, 1000).size() == 2);
    REQUIRE(read(299, 300).size() == 1);
    CHECK(read(299, 300)[0].when == at_ms(7));
    REQUIRE(read(300, 301).size() == 1);
    CHECK(read(300, 301)[0].when == at_ms(9));
    CHECK(time_of(read(0, 1000), 4) == base::wall_time{});
    CHECK(jobs::read_times(base::unique_fd{}, 0, 10).empty());
}

TEST_CASE("spool times: the file stays below an eighth; the fuller it is the farther apart")
{
    const testing::temp_folder folder;
    const auto path = folder.path() + "/times";
    constexpr std::uint64_t cap = 1U << 20;
    jobs::times_file times{open_file(path, O_WRONLY | O_CREAT), cap};
    constexpr int count = 2'000'000; // a byte each ms
    for (int i = 0; i < count; ++i)
        if (times.wants(at_ms(i)))
            times.note(static_cast<std::uint64_t>(i), at_ms(i));
    CHECK(times.finish());
    CHECK(times.bytes() <= cap / 8);
    CHECK(times.bytes() >= cap / 32);
    const auto marks = jobs::read_times(open_file(path, O_RDONLY), 0, count);
    CHECK(marks.size() == times.bytes() / jobs::time_record_bytes);
    for (const int i : {0, 1, 500, 1000, 100'000, 1'000'000, count - 1}) {
        CAPTURE(i);
        const auto off = at_ms(i) - time_of(marks, static_cast<std::uint64_t>(i));
        CHECK(off >= 0ms);
        CHECK(off <= std::chrono::milliseconds{i / 50});
    }
    for (std::int64_t i = 0; i < 100'000; ++i) // days of it: then it is full and says so
        if (times.wants(at_ms(count + i * 100'000)))
            times.note(static_cast<std::uint64_t>(count + i), at_ms(count + i * 100'000));
    CHECK(times.bytes() == cap / 8);
    const auto last = jobs::read_times(open_file(path, O_RDONLY), count + 99'999, count + 100'000);
    REQUIRE(last.size() == 1);
    CHECK(last[0].when == base::wall_time{});
}

TEST_CASE("spool times: a clock that is set back is followed")
{
    const testing::temp_folder folder;
    const auto path = folder.path() + "/times";
    jobs::times_file times{open_file(path, O_WRONLY | O_CREAT), 1U << 20};
    times.note(0, at_ms(1000));
    CHECK_FALSE(times.wants(at_ms(1000)));
    REQUIRE(times.wants(at_ms(10)));
    times.note(1, at_ms(10));
    const auto marks = jobs::read_times(open_file(path, O_RDONLY), 0, 2);
    CHECK(time_of(marks, 0) == at_ms(1000));
    CHECK(time_of(marks, 1) == at_ms(10));
}

TEST_CASE("spool times: what a full disk refuses is never told wrongly")
{
    jobs::times_file full{open_file("/dev/full", O_WRONLY), 1U << 20};
    full.note(0, at_ms(1));
    CHECK(full.wants(at_ms(1))); // tried again with whatever comes next
    full.note(1, at_ms(1));
    CHECK(full.bytes() == 0);
    CHECK_FALSE(full.finish()); // to be removed
}

TEST_CASE("spool times: kept beside each file, dropped with it, read across files")
{
    const testing::temp_folder folder;
    const auto path = folder.path() + "/jobs";
    jobs::spool_folder files{path, 1U << 30};
    REQUIRE(files.open());
    const base::job_id id{"0123abcd"};
    jobs::spool_files log{files, id, 64'000};
    constexpr int lines = 20'000; // of 16 bytes, one each 10 ms
    for (int i = 0; i < lines; ++i)
        log.append("0123456789abcde\n", at_ms(i * 10));
    log.finish();
    std::size_t of_bytes = 0, of_times = 0;
    std::uint64_t size = 0;
    for (const auto& one : std::filesystem::recursive_directory_iterator{path}) {
        if (!one.is_regular_file())
            continue;
        ++(one.path().extension() == ".t1" ? of_times : of_bytes);
        size += one.file_size();
    }
    CHECK(of_bytes == of_times);
    CHECK(files.used() == size);
    REQUIRE(log.gap());
    auto piece = jobs::read_piece(files, id, log.gap()->end, 100'000, 0);
    REQUIRE(piece);
    jobs::add_times(files, id, *piece);
    REQUIRE(piece->bytes.size() > 20'000); // several files
    for (std::uint64_t at = piece->offset; at < piece->next_offset; at += 160) {
        CAPTURE(at);
        const auto came = at_ms(static_cast<std::int64_t>(at / 16 * 10));
        const auto told = time_of(piece->times, at);
        CHECK(told <= came);
        CHECK(told > came - 20s); // small files have 64 records
    }
    CHECK(time_of(piece->times, piece->offset) ==
        at_ms(static_cast<std::int64_t>(piece->offset / 16 * 10)));
    files.remove(id);
    CHECK(files.used() == 0);
    CHECK(std::filesystem::is_empty(path));
}

TEST_CASE("spool times: without their file the output is kept all the same, its times unknown")
{
    const testing::temp_folder folder;
    const auto path = folder.path() + "/jobs";
    jobs::spool_folder files{path, 1U << 30};
    REQUIRE(files.open());
    const base::job_id id{"0123abcd"};
    std::filesystem::create_directory(path + "/0123abcd.t1"); // in their way
    jobs::spool_files log{files, id, 1U << 20};
    log.append("one\n", at_ms(1));
    log.append("two\n", at_ms(2));
    log.finish();
    CHECK(log.refusal() == 0);
    CHECK_FALSE(log.gap());
    auto piece = jobs::read_piece(files, id, 0, 100, 0);
    REQUIRE(piece);
    jobs::add_times(files, id, *piece);
    CHECK(piece->bytes == "one\ntwo\n");
    REQUIRE(piece->times.size() == 1);
    CHECK(piece->times[0].when == base::wall_time{});
}

TEST_CASE("spool times: bytes whose record finds no room do not get the time of those before")
{
    const testing::temp_folder folder;
    const base::job_id id{"00000001"};
    jobs::spool_folder files{folder.path() + "/jobs", 20 + jobs::time_record_bytes};
    REQUIRE(files.open());
    jobs::spool_files log{files, id, 1U << 20};
    log.append(std::string(10, 'x'), at_ms(0));
    log.append(std::string(10, 'y'), at_ms(60'000));
    log.finish();
    auto piece = jobs::read_piece(files, id, 0, 100, 20);
    REQUIRE(piece);
    CHECK(piece->bytes.size() == 20);
    jobs::add_times(files, id, *piece);
    CHECK(time_of(piece->times, 9) == at_ms(0));
    CHECK(time_of(piece->times, 10) == base::wall_time{});
}

TEST_CASE("spool times: of a job as it runs, and after a restart")
{
    with_rig([](rig& with) -> aio::awaitable<> {
        ::mkfifo((with.folder + "/go").c_str(), 0600);
        const auto before = base::wall_now();
        auto what = with.command("printf 'one\nbeg'; cat go; echo end; exit 0");
        const auto id = base::new_job_id();
        jobs::job one{with.strand, with.shared, id, std::move(what), jobs::place{}};
        aio::task running{with.strand};
        const auto run = [](jobs::job& job) -> aio::awaitable<> {
            const auto end = co_await job.run();
            CHECK(end.output_bytes == 12);
        };
        running.start("job", run(one));
        auto& spool = with.shared.spool;
        co_await spool.wait_for_more(id, 6);
        const auto live = co_await spool.read_timed(id, 0, 100);
        REQUIRE(live);
        CHECK(live->bytes == "one\nbeg");
        const auto first = time_of(live->times, 0);
        CHECK(first >= before);
        CHECK(first <= base::wall_now());
        while (base::wall_now() == first) // a clock of ms
            co_await with.run_foreground("true");
        const auto later = base::wall_now();
        std::ofstream{with.folder + "/go"} << "i";
        co_await running.join();
        const jobs::spool_options same{.folder = with.spool_folder};
        jobs::spool again{with.shared.io, same};
        REQUIRE(again.open());
        const auto all = co_await again.read_timed(id, 0, 100);
        REQUIRE(all);
        CHECK(all->bytes == "one\nbegiend\n");
        CHECK(time_of(all->times, 0) == first);
        CHECK(time_of(all->times, 4) == time_of(live->times, 4)); // the line's first byte
        CHECK(time_of(all->times, 8) >= later);
    });
}

TEST_CASE("spool: ended jobs keep no more than their share, over a restart, too")
{
    const testing::temp_folder folder;
    const auto path = folder.path() + "/jobs";
    const auto write = [](jobs::spool_folder& into, const char* id, std::size_t bytes) {
        jobs::spool_files log{into, base::job_id{id}, 1U << 20};
        log.append(std::string(bytes, 'x'), at_ms(1));
        log.finish();
    };
    const auto is_there = [](const jobs::spool_folder& in, const char* id) {
        return !in.list(base::job_id{id}).empty();
    };
    {
        jobs::spool_folder files{path, 1U << 20, 2500};
        REQUIRE(files.open());
        jobs::spool_files running{files, base::job_id{"00000009"}, 1U << 20};
        running.append(std::string(10'000, 'x'), at_ms(1)); // running ones are not counted
        write(files, "00000003", 1000);
        write(files, "00000002", 1000);
        CHECK(is_there(files, "00000003"));
        write(files, "00000001", 1000);
        CHECK_FALSE(is_there(files, "00000003"));
        CHECK(is_there(files, "00000002"));
        CHECK(is_there(files, "00000001"));
        running.finish(); // alone larger than all may be
        CHECK_FALSE(is_there(files, "00000009"));
        CHECK_FALSE(is_there(files, "00000001"));
        CHECK(files.used() == 0);
        write(files, "00000005", 1000);
        write(files, "00000004", 1000);
    }
    // The older one by its last byte, whose head is the newer.
    for (const auto* name : {"/00000004", "/00000004.t1", "/00000005", "/00000005.t1"}) {
        const auto seconds = name[8] == '4' ? 1'000'000'000 : 1'000'000'001;
        const timespec old[2] = {{seconds, 0}, {seconds, 0}};
        ::utimensat(AT_FDCWD, (path + name).c_str(), old, 0);
    }
    std::filesystem::create_directory(path + "/00000004.d");
    std::ofstream{path + "/00000004.d/00000000000000001000"} << "newer";
    jobs::spool_folder later{path, 1U << 20, 1500};
    REQUIRE(later.open());
    later.settle();
    CHECK_FALSE(is_there(later, "00000005"));
    CHECK(is_there(later, "00000004"));
    CHECK(later.used() == 1000 + jobs::time_record_bytes + 5);
}

TEST_CASE("spool: a session keeps no more than its share, its oldest ended output goes first")
{
    const testing::temp_folder folder;
    const auto path = folder.path() + "/jobs";
    const base::session_id one{"s_one"};
    const base::session_id other{"s_other"};
    const auto write = [](jobs::spool_folder& into, const char* id, const base::session_id& by) {
        jobs::spool_files log{into, base::job_id{id}, 1U << 20, by};
        log.append(std::string(1000, 'x'), at_ms(1));
        log.finish();
    };
    const auto is_there = [](const jobs::spool_folder& in, const char* id) {
        return !in.list(base::job_id{id}).empty();
    };
    {
        jobs::spool_folder files{path, 1U << 20, jobs::spool_folder::no_cap, 2500};
        REQUIRE(files.open());
        write(files, "00000001", one);
        write(files, "00000002", other);
        write(files, "00000003", one);
        CHECK(is_there(files, "00000001"));
        jobs::spool_files running{files, base::job_id{"00000004"}, 1U << 20, one};
        running.append(std::string(1000, 'x'), at_ms(1));
        CHECK_FALSE(is_there(files, "00000001"));
        CHECK(is_there(files, "00000003"));
        running.append(std::string(2000, 'x'), at_ms(2));
        CHECK_FALSE(is_there(files, "00000003"));
        CHECK(running.refusal() == EDQUOT); // beyond its own share nothing is left to drop
        running.finish();
        CHECK(is_there(files, "00000002"));
        CHECK(is_there(files, "00000004"));
    }
    jobs::spool_folder later{path, 1U << 20, jobs::spool_folder::no_cap, 1500};
    REQUIRE(later.open());
    later.claim(one, {base::job_id{"00000004"}, base::job_id{"00000001"}});
    CHECK(is_there(later, "00000004"));
    write(later, "00000005", one);
    CHECK_FALSE(is_there(later, "00000004"));
    CHECK(is_there(later, "00000002")); // another's, and not claimed
}

TEST_CASE("spool: trouble with the disk begins with a refusal and ends after a while without")
{
    jobs::spool_trouble trouble;
    const base::job_id id{"0123abcd"};
    const base::mono_time start{};
    trouble.note(id, 0, start);
    CHECK_FALSE(trouble.is_there());
    trouble.note(id, ENOSPC, start);
    trouble.note(id, 0, start + trouble.quiet - 1ms);
    CHECK(trouble.is_there());
    trouble.note(id, EDQUOT, start + trouble.quiet);
    trouble.note(id, 0, start + trouble.quiet * 2 - 1ms);
    CHECK(trouble.is_there());
    trouble.note(id, 0, start + trouble.quiet * 2);
    CHECK_FALSE(trouble.is_there());
}
