#include "session/hub.hpp"

#include "aio/condition.hpp"
#include "base/limits.hpp"
#include "proto/api/json.hpp"
#include "proto/json/writer.hpp"

#include <boost/asio/post.hpp>

#include <utility>

namespace agentd::session {

// One subscription's queue. On its reader's strand, but for `wants`, which never changes.
class hub::follower {
public:
    follower(aio::executor strand, store::events::filter which)
        : strand_(strand), wants_(std::move(which)), arrived_(strand)
    {}

    [[nodiscard]] const store::events::filter& wants() const { return wants_; }
    [[nodiscard]] const aio::executor& strand() const { return strand_; }
    [[nodiscard]] bool wants_deltas() const { return wants_.task_id || wants_.session_id; }

    void push(live_item item)
    {
        if (lagged_)
            return;
        bytes_ += item.json->size();
        if (bytes_ > limits::live_events_bytes) {
            // What is queued stays readable; only what comes from here on is lost to it.
            lagged_ = true;
        } else {
            items_.push_back(std::move(item));
        }
        arrived_.notify_all();
    }
    [[nodiscard]] bool lagged() const { return lagged_ && items_.empty(); }

    aio::awaitable<std::deque<live_item>> next(std::chrono::milliseconds limit)
    {
        const auto deadline = base::mono_now() + limit;
        while (items_.empty() && !lagged_ && base::mono_now() < deadline)
            co_await arrived_.wait_until(deadline);
        bytes_ = 0;
        co_return std::exchange(items_, {});
    }

private:
    aio::executor strand_;
    store::events::filter wants_;
    std::deque<live_item> items_;
    std::size_t bytes_ = 0;
    bool lagged_ = false;
    aio::condition arrived_;
};

struct hub::state {
    explicit state(const aio::executor& io) : strand(aio::make_strand(io)) {}

    void tell(const live_item& item)
    {
        for (const auto& one : followers) {
            const bool wanted = item.seq == 0 ? one->wants_deltas() : true;
            if (!wanted || !store::events::matches(one->wants(), item.event, item.event.owner_uid))
                continue;
            boost::asio::post(one->strand(), [one, item] { one->push(item); });
        }
    }

    aio::executor strand;
    std::list<std::shared_ptr<follower>> followers;
};

// What the reader holds; leaves the list when it dies.
class hub::handle final : public subscription {
public:
    handle(std::shared_ptr<state> of, std::shared_ptr<follower> self)
        : of_(std::move(of)), self_(std::move(self))
    {}
    handle(const handle&) = delete;
    handle& operator=(const handle&) = delete;
    ~handle() override
    {
        boost::asio::post(of_->strand, [of = of_, self = self_] { of->followers.remove(self); });
    }
    aio::awaitable<std::deque<live_item>> next(std::chrono::milliseconds limit) override
    {
        return self_->next(limit);
    }
    [[nodiscard]] bool lagged() const override { return self_->lagged(); }

private:
    std::shared_ptr<state> of_;
    std::shared_ptr<follower> self_;
};

namespace {

live_item item_of(proto::api::event event)
{
    live_item item;
    item.seq = event.seq;
    item.json = std::make_shared<const std::string>(proto::api::to_json(event));
    item.event = std::move(event);
    return item;
}

live_item item_of(const delta& what)
{
    live_item item;
    item.event.type = "model.delta";
    item.event.session_id = what.session_id;
    item.event.task_id = what.task_id;
    item.event.owner_uid = what.owner_uid;
    std::string json;
    proto::json::object_writer out{json};
    out.member("type", item.event.type).member("session_id", what.session_id.str());
    out.member("task_id", what.task_id.str()).member("turn", what.turn);
    out.member("attempt", what.attempt).member("block", what.block).member("text", what.text);
    out.close();
    item.json = std::make_shared<const std::string>(std::move(json));
    return item;
}

} // namespace

hub::hub(const aio::executor& io, store::store& db) : db_(db), state_(std::make_shared<state>(io))
{
    db.on_events([to = state_](store::committed_events events) {
        boost::asio::post(to->strand, [to, events = std::move(events)] {
            if (to->followers.empty())
                return;
            for (const auto& event : *events)
                to->tell(item_of(event));
        });
    });
}

void hub::publish(delta what)
{
    boost::asio::post(state_->strand, [to = state_, what = std::move(what)] {
        if (!to->followers.empty())
            to->tell(item_of(what));
    });
}

aio::awaitable<std::shared_ptr<hub::follower>> hub::add(
    std::shared_ptr<state> to, aio::executor strand, store::events::filter which)
{
    auto self = std::make_shared<follower>(strand, std::move(which));
    to->followers.push_back(self);
    co_return self;
}

aio::awaitable<std::unique_ptr<subscription>> hub::subscribe(
    aio::executor strand, store::events::filter which)
{
    const auto to = state_;
    auto self = co_await aio::on(to->strand, add(to, strand, std::move(which)));
    co_return std::make_unique<handle>(to, std::move(self));
}

aio::awaitable<base::result<history_page>> hub::history(
    store::events::filter which, base::event_seq after, std::size_t limit)
{
    auto read = [which = std::move(which), after, limit](store::connection& db) {
        history_page page;
        page.items = store::events::page(db, after, which, limit, page.reached);
        page.oldest = store::events::oldest(db);
        page.newest = store::events::newest(db);
        return page;
    };
    auto page = co_await db_.read(std::move(read));
    co_return page;
}

} // namespace agentd::session
