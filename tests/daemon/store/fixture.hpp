// What the tests of the store share: a folder, an open store in it, rows to put in.
#pragma once

#include "aio/task_group.hpp"
#include "store/calls.hpp"
#include "store/connection.hpp"
#include "store/events.hpp"
#include "store/jobs.hpp"
#include "store/messages.hpp"
#include "store/notifications.hpp"
#include "store/sessions.hpp"
#include "store/store.hpp"
#include "store/tasks.hpp"

#include <boost/asio/io_context.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
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

// An open store with a loop for its callers, which outlives it.
class test_store {
public:
    explicit test_store(const std::string& folder, store::options how = {})
    {
        auto opened = store::store::open(folder, std::move(how));
        REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().text));
        store_ = std::move(*opened);
    }

    store::store& operator*() const { return *store_; }
    store::store* operator->() const { return store_.get(); }

    // Runs one coroutine on a strand of the loop; fails when it does not end.
    void run(const std::function<aio::awaitable<>(aio::executor)>& body,
        std::chrono::seconds limit = std::chrono::seconds{20})
    {
        bool ended = false;
        const aio::executor strand = aio::make_strand(io_.get_executor());
        aio::task_group group{strand};
        const auto whole = [](const std::function<aio::awaitable<>(aio::executor)>& what,
                               aio::executor where, bool& at_end) -> aio::awaitable<> {
            co_await what(where);
            at_end = true;
        };
        group.spawn("test", whole(body, strand, ended));
        io_.restart();
        io_.run_for(limit);
        REQUIRE_MESSAGE(ended, "the coroutine did not end");
    }

    // One work, waited for.
    template <class Work>
    store::work_result<Work> write(
        Work work, store::durability keep = store::durability::process_death)
    {
        std::optional<store::work_result<Work>> outcome;
        run([this, &outcome, &work, keep](aio::executor) -> aio::awaitable<> {
            auto value = co_await store_->write(store::step::daemon_event, keep, std::move(work));
            outcome.emplace(std::move(value));
        });
        return std::move(*outcome);
    }
    template <class Work>
    store::work_result<Work> read(Work work)
    {
        std::optional<store::work_result<Work>> outcome;
        run([this, &outcome, &work](aio::executor) -> aio::awaitable<> {
            auto value = co_await store_->read(std::move(work));
            outcome.emplace(std::move(value));
        });
        return std::move(*outcome);
    }

private:
    boost::asio::io_context io_;
    std::unique_ptr<store::store> store_;
};

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
    ids.reserve(things.size());
    for (const auto& thing : things)
        ids.push_back(thing.id.str());
    return ids;
}

inline std::vector<std::string> names(std::initializer_list<const char*> list)
{
    return {list.begin(), list.end()};
}

} // namespace agentd::testing
