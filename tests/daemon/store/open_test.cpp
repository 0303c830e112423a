// Opening and closing: files, versions, what a restart keeps, numbers after a power loss.
#include "store/schema.hpp"
#include "store/sqlite.hpp"
#include "tests/daemon/store/fixture.hpp"

#include <sys/stat.h>

#include <array>
#include <fstream>

namespace agentd::testing {
namespace {

using store::connection;
using store::errc;

int mode_of(const std::string& path)
{
    struct stat info{};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    return static_cast<int>(info.st_mode & 0777);
}

base::event_seq add_event(test_store& db)
{
    return db.write([](connection& c) { return c.append_event(event("daemon.started")); })
        .value_or(0);
}

TEST_CASE("open: folder and files are closed to others, whatever the umask")
{
    const temp_folder folder;
    const auto before = ::umask(0);
    {
        test_store db{folder.state()};
        CHECK(add_event(db) == 1);
        CHECK(mode_of(folder.state()) == 0700);
        CHECK(mode_of(folder.state() + "/agentd.db") == 0600);
        CHECK(mode_of(folder.state() + "/agentd.db-wal") == 0600);
        CHECK(mode_of(folder.state() + "/agentd.db-shm") == 0600);
    }
    ::umask(before);
    // An orderly end leaves one whole file.
    CHECK(!std::filesystem::exists(folder.state() + "/agentd.db-wal"));
}

TEST_CASE("open: what was committed is there again, and numbers go on")
{
    const temp_folder folder;
    {
        test_store db{folder.state()};
        REQUIRE(
            db.write([](connection& c) {
                  return store::sessions::insert(c, session_row("s_aaaa"));
              }).value_or(false));
        CHECK(add_event(db) == 1);
        CHECK(add_event(db) == 2);
    }
    test_store db{folder.state()};
    CHECK(!db->jump().has_value());
    CHECK(db.read([](connection& c) { return store::sessions::count(c); }).value_or(0) == 1);
    CHECK(add_event(db) == 3);
}

TEST_CASE("open: an orderly stop and another boot leave no hole in the numbers")
{
    const temp_folder folder;
    {
        test_store db{folder.state(), {.boot_id = "one"}};
        CHECK(add_event(db) == 1);
    }
    test_store db{folder.state(), {.boot_id = "two"}};
    CHECK(!db->jump().has_value());
    CHECK(add_event(db) == 2);
}

TEST_CASE("open: when the machine went down, numbers jump past all that were ever given out")
{
    const temp_folder folder;
    const temp_folder copy;
    {
        test_store db{folder.state(), {.boot_id = "one"}};
        CHECK(add_event(db) == 1);
        CHECK(add_event(db) == 2);
        // What a power loss leaves: the files as they are, without an orderly end.
        std::filesystem::copy(folder.state(), copy.state());
    }
    base::event_seq after_jump = 0;
    {
        test_store db{copy.state(), {.boot_id = "two"}};
        REQUIRE(db->jump().has_value());
        CHECK(db->jump()->first == 3);
        after_jump = db->jump()->last + 1;
        CHECK(after_jump > 1000);
        CHECK(add_event(db) == after_jump);
    }
    test_store db{copy.state(), {.boot_id = "two"}};
    CHECK(!db->jump().has_value());
    CHECK(add_event(db) == after_jump + 1);
}

TEST_CASE("open: a jump is kept, and told again, until an event follows it")
{
    const temp_folder folder;
    const temp_folder copy;
    const temp_folder second;
    {
        test_store db{folder.state(), {.boot_id = "one"}};
        CHECK(add_event(db) == 1);
        std::filesystem::copy(folder.state(), copy.state());
    }
    base::event_seq jumped_to = 0;
    {
        test_store db{copy.state(), {.boot_id = "two"}};
        REQUIRE(db.write([](connection&) {}).has_value());
        jumped_to = db->jump().value_or(store::seq_jump{}).last;
        std::filesystem::copy(copy.state(), second.state()); // the process dies
    }
    {
        test_store db{second.state(), {.boot_id = "two"}};
        REQUIRE(db->jump().has_value());
        CHECK(db->jump()->first == 2);
        CHECK(db->jump()->last == jumped_to);
        CHECK(add_event(db) == jumped_to + 1);
    }
    test_store db{second.state(), {.boot_id = "two"}};
    CHECK(!db->jump().has_value());
}

TEST_CASE("open: a newer schema is refused and left alone")
{
    const temp_folder folder;
    {
        test_store db{folder.state()};
    }
    {
        store::sqlite_connection raw{
            folder.state() + "/agentd.db", store::sqlite_connection::role::writes};
        raw.execute("PRAGMA user_version = 999");
    }
    const auto opened = store::store::open(folder.state());
    REQUIRE(!opened.has_value());
    CHECK(opened.error().is(errc::newer));
    CHECK(opened.error().text.find("999") != std::string::npos);
}

TEST_CASE("open: another program's database is refused")
{
    const temp_folder folder;
    std::filesystem::create_directory(folder.state());
    std::ofstream{folder.state() + "/agentd.db"}.close();
    {
        store::sqlite_connection raw{
            folder.state() + "/agentd.db", store::sqlite_connection::role::writes};
        raw.execute("CREATE TABLE theirs (x)");
    }
    const auto opened = store::store::open(folder.state());
    REQUIRE(!opened.has_value());
    CHECK(opened.error().is(errc::not_opened));
}

TEST_CASE("open: a file that is no database is called damaged")
{
    const temp_folder folder;
    std::filesystem::create_directory(folder.state());
    std::ofstream{folder.state() + "/agentd.db"} << std::string(8192, 'x');
    const auto opened = store::store::open(folder.state());
    REQUIRE(!opened.has_value());
    CHECK(opened.error().is(errc::corrupt));
}

TEST_CASE("open: a folder that cannot be made is an error that says so")
{
    const temp_folder folder;
    std::ofstream{folder.path() + "/file"} << "x";
    const auto opened = store::store::open(folder.path() + "/file/state");
    REQUIRE(!opened.has_value());
    CHECK(opened.error().is(errc::not_opened));
    CHECK(opened.error().text.starts_with("cannot make the state folder"));
}

TEST_CASE("schema: an older version goes forward after a backup, or stays as it was")
{
    const temp_folder folder;
    const auto file = folder.path() + "/agentd.db";
    std::ofstream{file}.close();
    store::sqlite_connection db{file, store::sqlite_connection::role::writes};
    constexpr std::array<store::schema::step, 1> old_steps{
        "CREATE TABLE a (x); INSERT INTO a VALUES (1);"};
    constexpr std::array<store::schema::step, 2> bad_steps{
        old_steps[0], "CREATE TABLE b (y); oops;"};
    constexpr std::array<store::schema::step, 3> new_steps{
        old_steps[0], "CREATE TABLE b (y);", "INSERT INTO b SELECT x + 1 FROM a;"};

    REQUIRE(store::schema::migrate(db, file, old_steps).has_value());
    base::result<> broken;
    CHECK_THROWS_AS(broken = store::schema::migrate(db, file, bad_steps), store::sqlite_error);
    db.execute("ROLLBACK");
    CHECK(db.number("PRAGMA user_version") == 1);
    REQUIRE(store::schema::migrate(db, file, new_steps).has_value());

    CHECK(db.number("SELECT y FROM b") == 2);
    CHECK(db.number("PRAGMA user_version") == 3);
    CHECK(mode_of(file + ".v1.backup") == 0600);
    CHECK(!std::filesystem::exists(file + ".v1.backup.new"));
    store::sqlite_connection backup{file + ".v1.backup", store::sqlite_connection::role::reads};
    CHECK(backup.number("PRAGMA user_version") == 1);
    CHECK(backup.number("SELECT x FROM a") == 1);
    CHECK(backup.number("SELECT count(*) FROM sqlite_schema WHERE name = 'b'") == 0);
}

TEST_CASE("schema: without four columns and an index the newest version is the first one")
{
    // By these statements tests/system/resume_test.cpp makes a state of the first version.
    const temp_folder folder;
    const auto old_file = folder.path() + "/old.db";
    const auto file = folder.path() + "/agentd.db";
    std::ofstream{old_file}.close();
    std::ofstream{file}.close();
    {
        store::sqlite_connection old{old_file, store::sqlite_connection::role::writes};
        REQUIRE(store::schema::migrate(old, old_file, store::schema::steps().first(1)).has_value());
    }
    store::sqlite_connection db{file, store::sqlite_connection::role::writes};
    REQUIRE(store::schema::migrate(db, file, store::schema::steps()).has_value());
    db.prepare("ATTACH ? AS old").bind(old_file).run();
    constexpr auto differing = "SELECT count(*) FROM (SELECT sql FROM main.sqlite_schema EXCEPT "
                               "SELECT sql FROM old.sqlite_schema)";
    REQUIRE(db.number(differing) == 5);
    db.execute("ALTER TABLE epochs DROP COLUMN first_seq");
    db.execute("ALTER TABLE sessions DROP COLUMN context_tokens");
    db.execute("ALTER TABLE tasks DROP COLUMN at_work");
    db.execute("DROP INDEX removed_at; ALTER TABLE removed DROP COLUMN removed_at");
    CHECK(db.number(differing) == 0);
    CHECK(db.number("SELECT count(*) FROM main.sqlite_schema") ==
        db.number("SELECT count(*) FROM old.sqlite_schema"));
}

TEST_CASE("schema: a session of the first version goes on with all of its messages")
{
    const temp_folder folder;
    std::filesystem::create_directory(folder.state());
    const auto file = folder.state() + "/agentd.db";
    std::ofstream{file}.close();
    {
        store::sqlite_connection db{file, store::sqlite_connection::role::writes};
        REQUIRE(store::schema::migrate(db, file, store::schema::steps().first(1)).has_value());
        db.execute("INSERT INTO sessions (id, owner_uid, state, model, epoch, messages, input, "
                   "output, cache_read, cache_write, cost_usd, created_at, updated_at, "
                   "made_workdir, workdir) VALUES ('s_old', 1, 0, 'm', 1, 1, 1, 1, 1, 1, 0, 1, 1, "
                   "0, '/')");
        db.execute("INSERT INTO epochs (session, number, model, system, tools) "
                   "VALUES ('s_old', 1, 'm', '', '')");
        db.execute("INSERT INTO messages (session, seq, epoch, answered, task, created_at, role, "
                   "content) VALUES ('s_old', 1, 1, 1, 't_old', 1, 'user', '[]')");
    }
    test_store db{folder.state()};
    db.run([&db](aio::executor) -> aio::awaitable<> {
        auto look = [](store::connection& c) {
            const base::session_id id{"s_old"};
            return store::sessions::find(c, id)->context_tokens == 0 &&
                store::messages::find_epoch(c, id, 1)->first_seq == 0 &&
                store::messages::history(c, id, 1).size() == 1;
        };
        const auto whole = co_await db->read(look);
        CHECK(whole.value_or(false));
    });
}

} // namespace
} // namespace agentd::testing
