#include "proto/api/json.hpp"
#include "tests/daemon/api/fakes.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace agentd::testing {

namespace asio = boost::asio;

// Its queue and timer belong to the reader's strand.
struct fake_hub::reader {
    reader(aio::executor s, store::events::filter w)
        : strand(std::move(s)), which(std::move(w)), arrived(strand)
    {}

    aio::executor strand;
    store::events::filter which;
    std::deque<session::live_item> items;
    asio::steady_timer arrived;
    bool lagged = false;
};

namespace {

class fake_subscription final : public session::subscription {
public:
    fake_subscription(std::shared_ptr<fake_hub::reader> from, std::function<void()> end)
        : from_(std::move(from)), end_(std::move(end))
    {}
    ~fake_subscription() override { end_(); }

    aio::awaitable<std::deque<session::live_item>> next(std::chrono::milliseconds limit) override
    {
        if (from_->items.empty() && !from_->lagged) {
            from_->arrived.expires_after(limit);
            boost::system::error_code woken;
            co_await from_->arrived.async_wait(asio::redirect_error(asio::use_awaitable, woken));
            co_await aio::rethrow_if_cancelled();
        }
        co_return std::exchange(from_->items, {});
    }
    [[nodiscard]] bool lagged() const override { return from_->lagged; }

private:
    std::shared_ptr<fake_hub::reader> from_;
    std::function<void()> end_;
};

void hand_over(const std::shared_ptr<fake_hub::reader>& to, session::live_item item)
{
    asio::post(to->strand, [to, item = std::move(item)]() mutable {
        if (to->lagged)
            return;
        to->items.push_back(std::move(item));
        to->arrived.cancel();
    });
}

} // namespace

bool fits(const store::events::filter& which, const proto::api::event& what)
{
    const auto type_fits = [&what](const std::string& wanted) {
        return wanted == what.type ||
            (wanted.ends_with(".*") && what.type.starts_with(wanted.substr(0, wanted.size() - 1)));
    };
    return (!which.task_id || *which.task_id == what.task_id) &&
        (!which.session_id || *which.session_id == what.session_id) &&
        (which.types.empty() || std::ranges::any_of(which.types, type_fits));
}

aio::awaitable<base::result<session::history_page>> fake_hub::history(
    store::events::filter which, base::event_seq after, std::size_t limit)
{
    std::function<void()> first;
    {
        const std::lock_guard lock{guard_};
        if (!readers_.empty())
            first = std::exchange(before_history_, {});
    }
    if (first)
        first();
    const std::lock_guard lock{guard_};
    session::history_page page;
    page.newest = page.reached = newest_;
    page.oldest = events_.empty() ? 0 : oldest_;
    for (const auto& event : events_) {
        if (event.seq <= after || !fits(which, event))
            continue;
        if (page.items.size() == limit) {
            page.reached = page.items.empty() ? after : page.items.back().seq;
            break;
        }
        page.items.push_back(event);
    }
    co_return page;
}

aio::awaitable<std::unique_ptr<session::subscription>> fake_hub::subscribe(
    aio::executor strand, store::events::filter which)
{
    auto one = std::make_shared<reader>(std::move(strand), std::move(which));
    const std::lock_guard lock{guard_};
    readers_.insert(one);
    auto end = [this, one] {
        const std::lock_guard inner{guard_};
        readers_.erase(one);
    };
    co_return std::make_unique<fake_subscription>(one, std::move(end));
}

void fake_hub::publish(session::delta what)
{
    session::live_item item;
    item.event.type = "model.delta";
    item.event.task_id = what.task_id;
    item.json = std::make_shared<const std::string>(
        R"({"type":"model.delta","text":")" + what.text + "\"}");
    const std::lock_guard lock{guard_};
    for (const auto& one : readers_) {
        if (one->which.task_id == what.task_id)
            hand_over(one, item);
    }
}

base::event_seq fake_hub::append(
    const std::string& type, const std::string& task, const std::string& session)
{
    proto::api::event event;
    event.type = type;
    event.task_id = base::task_id{task};
    event.session_id = base::session_id{session};
    const std::lock_guard lock{guard_};
    event.seq = ++newest_;
    events_.push_back(event);
    const auto json = std::make_shared<const std::string>(proto::api::to_json(event));
    for (const auto& one : readers_) {
        if (fits(one->which, event))
            hand_over(one, session::live_item{event.seq, event, json});
    }
    return event.seq;
}

void fake_hub::purge(base::event_seq oldest)
{
    const std::lock_guard lock{guard_};
    oldest_ = oldest;
    std::erase_if(events_, [oldest](const auto& event) { return event.seq < oldest; });
}

void fake_hub::lag()
{
    const std::lock_guard lock{guard_};
    for (const auto& one : readers_) {
        asio::post(one->strand, [one] {
            one->lagged = true;
            one->items.clear();
            one->arrived.cancel();
        });
    }
}

std::size_t fake_hub::readers()
{
    const std::lock_guard lock{guard_};
    return readers_.size();
}

void fake_hub::before_history(std::function<void()> what)
{
    const std::lock_guard lock{guard_};
    before_history_ = std::move(what);
}

} // namespace agentd::testing
