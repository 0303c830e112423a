// What the tests of the store share: a folder, an open store in it, rows to put in.
#pragma once

#include "store/calls.hpp"
#include "store/connection.hpp"
#include "store/events.hpp"
#include "store/jobs.hpp"
#include "store/messages.hpp"
#include "store/notifications.hpp"
#include "store/sessions.hpp"
#include "store/store.hpp"
#include "store/tasks.hpp"
#include "tests/support/run_coro.hpp"

#include <doctest/doctest.h>

#include <stdlib.h>

#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <utility>

namespace agentd::testing {

// A folder that is gone at the end.
class temp_folder {
public:
    temp_folder()
    {
        std::string name = "/tmp/agentd-store-XXXXXX";
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~temp_folder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    temp_folder(const temp_folder&) = delete;
    temp_folder& operator=(const temp_folder&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string state() const { return path_ + "/state"; }

private:
    std::string path_;
};

inline std::unique_ptr<store::store> open_store(const std::string& folder, store::options how = {})
{
    auto opened = store::store::open(folder, std::move(how));
    REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().text));
    return std::move(*opened);
}

// Runs one work as a transaction and waits for it, on a loop of its own.
template <class Work>
store::work_result<Work> write(store::store& db, Work work,
    store::durability keep = store::durability::process_death,
    store::step name = store::step::daemon_event)
{
    std::optional<store::work_result<Work>> outcome;
    run_coro([&db, &outcome, &work, keep, name](aio::executor) -> aio::awaitable<> {
        auto value = co_await db.write(name, keep, std::move(work));
        outcome.emplace(std::move(value));
    });
    return std::move(*outcome);
}

template <class Work>
store::work_result<Work> read(store::store& db, Work work)
{
    std::optional<store::work_result<Work>> outcome;
    run_coro([&db, &outcome, &work](aio::executor) -> aio::awaitable<> {
        auto value = co_await db.read(std::move(work));
        outcome.emplace(std::move(value));
    });
    return std::move(*outcome);
}

inline base::wall_time at(std::int64_t ms)
{
    return base::wall_time{std::chrono::milliseconds{ms}};
}

inline store::sessions::row session_row(const std::string& id, std::uint32_t owner = 1000)
{
    store::sessions::row row;
    row.shown.id = base::session_id{id};
    row.shown.model = "m";
    row.shown.workdir = "/w/" + id;
    row.shown.created_at = row.shown.updated_at = at(1000);
    row.owner_uid = owner;
    return row;
}

inline store::tasks::row task_row(
    const std::string& id, const std::string& session, std::uint32_t owner = 1000)
{
    store::tasks::row row;
    row.shown.id = base::task_id{id};
    row.shown.session_id = base::session_id{session};
    row.shown.owner_uid = owner;
    row.shown.prompt = "do " + id;
    row.shown.model = "m";
    row.shown.created_at = at(2000);
    row.max_turns = 200;
    return row;
}

inline store::jobs::row job_row(
    const std::string& id, const std::string& task, const std::string& session)
{
    store::jobs::row row;
    row.shown.id = base::job_id{id};
    row.shown.task_id = base::task_id{task};
    row.shown.session_id = base::session_id{session};
    row.shown.command = "make " + id;
    row.shown.queued_at = at(3000);
    row.owner_uid = 1000;
    return row;
}

inline proto::api::event event(
    const std::string& type, const std::string& session = "", const std::string& task = "")
{
    proto::api::event e;
    e.type = type;
    e.time = at(4000);
    e.session_id = base::session_id{session};
    e.task_id = base::task_id{task};
    return e;
}

// The ids of things, in their order.
template <class Things>
std::vector<std::string> ids_of(const Things& things)
{
    std::vector<std::string> ids;
    for (const auto& thing : things)
        ids.push_back(thing.id.str());
    return ids;
}

inline std::vector<std::string> names(std::initializer_list<const char*> list)
{
    return {list.begin(), list.end()};
}

} // namespace agentd::testing
