// A database that something else has damaged: cut short, overwritten, without its log, or older
// than what was told of it.
#include "store/sqlite.hpp"
#include "tests/daemon/store/fixture.hpp"

#include <fmt/format.h>

#include <fstream>

namespace agentd::testing {
namespace {

using store::connection;
using store::errc;

constexpr int many_sessions = 200;

// A session with a long message and an event.
void add_session(connection& c, int number)
{
    const auto id = fmt::format("s_{}", number);
    static_cast<void>(store::sessions::insert(c, session_row(id)));
    store::messages::row row;
    row.shown.role = "user";
    row.shown.content = std::string(3000, 'x');
    static_cast<void>(store::messages::append(c, base::session_id{id}, row));
    c.append_event(event("session.created", id));
}

void fill(test_store& db, int count)
{
    for (int i = 0; i < count; ++i)
        REQUIRE(db.write([i](connection& c) { add_session(c, i); }));
}

void fill(const std::string& folder)
{
    test_store db{folder};
    REQUIRE(db.write([](connection& c) {
        for (int i = 0; i < many_sessions; ++i)
            add_session(c, i);
    }));
}

std::string file_of(const temp_folder& folder, const char* suffix = "")
{
    return folder.state() + "/agentd.db" + suffix;
}

// Until the database itself, without its log, says that it is in use.
void await_mark(const std::string& file, const std::string& copy)
{
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    for (bool marked = false; !marked;) {
        REQUIRE(std::chrono::steady_clock::now() < until);
        std::filesystem::copy_file(file, copy, std::filesystem::copy_options::overwrite_existing);
        try {
            store::sqlite_connection look{copy, store::sqlite_connection::role::writes};
            marked = look.number("SELECT count(*) FROM meta WHERE boot_id <> ''") == 1;
        } catch (const store::sqlite_error&) {
            marked = false; // half copied, or no table yet
        }
    }
}

// A state that has its process killed after ten events: what is in `folder` then.
void leave_unclosed(const temp_folder& folder)
{
    const temp_folder running;
    test_store db{running.state(), {.boot_id = "one"}};
    REQUIRE(db.write([](connection&) {}));
    await_mark(running.state() + "/agentd.db", running.path() + "/copy.db");
    fill(db, 10);
    std::filesystem::copy(running.state(), folder.state());
}

base::event_seq next_seq(test_store& db)
{
    return db.write([](connection& c) { return c.append_event(event("daemon.x")); }).value_or(0);
}

// Every second page that holds a message.
void garble_messages(const std::string& path)
{
    constexpr std::size_t page = 4096;
    std::fstream raw{path, std::ios::in | std::ios::out | std::ios::binary};
    std::string bytes(page, '\0');
    const std::string text(1000, 'x');
    int found = 0;
    for (std::streamoff at = 0; raw.seekg(at) && raw.read(bytes.data(), page); at += page)
        if (bytes.find(text) != bytes.npos && found++ % 2 == 1)
            raw.seekp(at).write(std::string(page, '\x5a').data(), page);
    REQUIRE(found > 2);
}

std::int64_t count_sessions(test_store& db)
{
    return db.read([](connection& c) { return store::sessions::count(c); }).value_or(-1);
}

} // namespace

TEST_CASE("damage: a database that was cut short is refused as damaged, and left alone")
{
    const temp_folder folder;
    fill(folder.state());
    const auto half = std::filesystem::file_size(file_of(folder)) / 2;
    std::filesystem::resize_file(file_of(folder), half);
    const auto opened = store::store::open(folder.state());
    REQUIRE(!opened.has_value());
    CHECK(opened.error().is(errc::corrupt));
    CHECK(opened.error().text.find(file_of(folder) + " is damaged") != std::string::npos);
    CHECK(std::filesystem::file_size(file_of(folder)) == half);
}

TEST_CASE("damage: a database that was cut to nothing is no new one, and its log is left alone")
{
    const temp_folder folder;
    const temp_folder copies;
    {
        test_store db{folder.state()};
        fill(db, 3);
        std::filesystem::copy(folder.state(), copies.state());
    }
    std::filesystem::resize_file(file_of(copies), 0);
    const auto log_bytes = std::filesystem::file_size(file_of(copies) + "-wal");
    REQUIRE(log_bytes != 0);
    const auto opened = store::store::open(copies.state());
    REQUIRE(!opened.has_value());
    CHECK(opened.error().is(errc::corrupt));
    CHECK(std::filesystem::file_size(file_of(copies) + "-wal") == log_bytes);
    std::filesystem::remove(file_of(copies) + "-wal");
    CHECK(!store::store::open(copies.state()).has_value()); // numbers were given from it
}

TEST_CASE("damage: pages of garbage fail the calls that meet them; the rest can be read")
{
    const temp_folder folder;
    fill(folder.state());
    garble_messages(file_of(folder));
    test_store db{folder.state()};
    int failed = 0;
    for (int i = 0; i < many_sessions; ++i) {
        const auto found = db.read([i](connection& c) {
            return store::messages::history(c, base::session_id{fmt::format("s_{}", i)}, 1);
        });
        failed += !found && found.error().is(errc::corrupt) ? 1 : 0;
        CHECK((found || found.error().is(errc::corrupt)));
    }
    CHECK(failed > 0);
    CHECK(failed < many_sessions);
}

TEST_CASE("lost: without its log the state is an older one, and no number is used twice")
{
    const temp_folder folder;
    leave_unclosed(folder);
    std::filesystem::remove(file_of(folder, "-wal"));
    base::event_seq first = 0;
    SUBCASE("what was given out is known") {
        test_store db{folder.state(), {.boot_id = "one"}};
        REQUIRE(db->jump().has_value());
        CHECK(db->jump()->last == 10);
        CHECK(count_sessions(db) < 10);
        first = next_seq(db);
        CHECK(first == 11);
    }
    SUBCASE("it is not: beyond all that were reserved") {
        std::filesystem::remove(file_of(folder, "-seq"));
        test_store db{folder.state(), {.boot_id = "one"}};
        REQUIRE(db->jump().has_value());
        CHECK(db->jump()->last > 1000);
        first = next_seq(db);
        CHECK(first == db->jump()->last + 1);
    }
    test_store db{folder.state(), {.boot_id = "one"}};
    CHECK(!db->jump().has_value());
    CHECK(next_seq(db) == first + 1);
}

TEST_CASE("lost: a log that was cut short loses its last commits, and no number is used twice")
{
    const temp_folder folder;
    leave_unclosed(folder);
    const auto log = file_of(folder, "-wal");
    std::filesystem::resize_file(log, std::filesystem::file_size(log) / 2);
    test_store db{folder.state(), {.boot_id = "one"}};
    REQUIRE(db->jump().has_value());
    CHECK(db->jump()->last == 10);
    CHECK(count_sessions(db) < 10);
    CHECK(next_seq(db) == 11);
}

TEST_CASE("lost: an older copy in the place of the database goes on behind what was told")
{
    const temp_folder folder;
    fill(folder.state());
    std::filesystem::copy_file(file_of(folder), file_of(folder, ".copy"));
    {
        test_store db{folder.state()};
        CHECK(next_seq(db) == many_sessions + 1);
    }
    std::filesystem::rename(file_of(folder, ".copy"), file_of(folder));
    test_store db{folder.state()};
    CHECK(next_seq(db) == many_sessions + 2);
}

TEST_CASE("lost: a log that somebody else has copied into the database is no loss")
{
    const temp_folder folder;
    leave_unclosed(folder);
    {
        store::sqlite_connection other{file_of(folder), store::sqlite_connection::role::writes};
        CHECK(other.number("SELECT count(*) FROM sessions") == 10);
    } // the last one to close: the log is gone
    REQUIRE(!std::filesystem::exists(file_of(folder, "-wal")));
    test_store db{folder.state(), {.boot_id = "one"}};
    CHECK(!db->jump().has_value());
    CHECK(count_sessions(db) == 10);
    CHECK(next_seq(db) == 11);
}

TEST_CASE("lost: a mark that is no number, or half of one, is not believed")
{
    for (const std::string content : {"", "garbage", "00000000000000000099 00000000000000000098\n",
             "00000000000000000099 00000000000000000099\nx"}) {
        CAPTURE(content);
        const temp_folder folder;
        leave_unclosed(folder);
        std::ofstream{file_of(folder, "-seq"), std::ios::trunc} << content;
        test_store db{folder.state(), {.boot_id = "one"}};
        CHECK(!db->jump().has_value());
        CHECK(next_seq(db) == 11);
    }
}

TEST_CASE("lost: half a log in the database is found before anything is built on it")
{
    const temp_folder folder;
    fill(folder.state());
    {
        // The mark says that more was told; a page of an index of the database is garbage.
        store::sqlite_connection raw{file_of(folder), store::sqlite_connection::role::writes};
        const auto page =
            raw.number("SELECT rootpage FROM sqlite_schema WHERE name = 'tasks_owner'");
        std::fstream file{file_of(folder), std::ios::in | std::ios::out | std::ios::binary};
        file.seekp((page - 1) * 4096);
        file << std::string(4096, '\x5a');
    }
    {
        test_store works_without_a_look{folder.state()};
    }
    std::ofstream{file_of(folder, "-seq"), std::ios::trunc}
        << "00000000000000000999 00000000000000000999\n";
    const auto opened = store::store::open(folder.state());
    REQUIRE(!opened.has_value());
    CHECK(opened.error().is(errc::corrupt));
}

} // namespace agentd::testing
