// A database without its threads, for the tests of the tables: works run here and now.
#pragma once

#include "store/event_log.hpp"
#include "store/schema.hpp"
#include "store/sqlite.hpp"
#include "tests/daemon/store/fixture.hpp"

#include <fstream>
#include <memory>

namespace agentd::testing {

class tables {
public:
    tables()
    {
        const auto file = folder_.path() + "/agentd.db";
        std::ofstream{file}.close();
        db_ = std::make_unique<store::sqlite_connection>(
            file, store::sqlite_connection::role::writes);
        db_->execute("PRAGMA synchronous = OFF");
        REQUIRE(store::schema::migrate(*db_, file, store::schema::steps()).has_value());
        log_ = std::make_unique<store::event_log>(
            *db_, "boot", store::seq_mark{folder_.path() + "/seq"}, false);
        log_->make_room(*db_);
        db_->set_event_log(log_.get());
    }

    store::sqlite_connection& operator*() { return *db_; }
    store::sqlite_connection* operator->() { return db_.get(); }

private:
    temp_folder folder_;
    std::unique_ptr<store::sqlite_connection> db_;
    std::unique_ptr<store::event_log> log_;
};

} // namespace agentd::testing
