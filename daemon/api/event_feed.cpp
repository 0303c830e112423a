#include "api/event_feed.hpp"

#include "base/limits.hpp"
#include "proto/api/json.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace agentd::api {
namespace {

constexpr std::string_view end_of_task{"task.finished"};

bool wants(const std::vector<std::string>& types, std::string_view type)
{
    const auto fits = [type](const std::string& wanted) {
        return wanted == type ||
            (wanted.ends_with(".*") && type.starts_with(wanted.substr(0, wanted.size() - 1)));
    };
    return types.empty() || std::ranges::any_of(types, fits);
}

} // namespace

event_feed::event_feed(
    session::event_hub& hub, session::service& service, body_stream& out, feed_request what)
    : hub_(&hub),
      service_(&service),
      out_(&out),
      what_(std::move(what)),
      position_(what_.after),
      next_beat_(base::mono_now() + what_.heartbeat)
{
    auto& types = what_.which.types;
    if (what_.follow && what_.which.task_id && !wants(types, end_of_task)) {
        types.emplace_back(end_of_task);
        hides_end_ = true;
    }
    done_ = what_.limit == 0;
}

aio::awaitable<base::result<>> event_feed::run()
{
    auto outcome = co_await catch_up();
    if (!outcome || done_ || !what_.follow)
        co_return outcome;
    co_return co_await follow();
}

aio::awaitable<base::result<>> event_feed::catch_up()
{
    while (!done_) {
        auto page = co_await hub_->history(what_.which, position_, limits::event_page);
        if (!page)
            co_return std::unexpected(std::move(page.error()));
        // What was kept when the reader began may be gone before it got there.
        const bool overtaken = page->oldest > position_ + 1 && position_ != what_.after;
        if (overtaken) {
            append_lagged(unsent_, what_.format, position_);
            done_ = true;
        } else {
            take_page(*page);
        }
        if (what_.follow && base::mono_now() >= next_beat_) {
            append_heartbeat(unsent_, what_.format, position_);
            next_beat_ = base::mono_now() + what_.heartbeat;
        }
        auto sent = co_await flush();
        if (!sent || page->reached >= page->newest)
            co_return sent;
    }
    co_return base::result<>{};
}

aio::awaitable<base::result<>> event_feed::follow()
{
    const auto strand = co_await boost::asio::this_coro::executor;
    while (!done_) {
        const auto news = co_await hub_->subscribe(strand, what_.which);
        // Asked before the last look at the history: if it has ended, its end stands there.
        const auto ended = co_await task_has_ended();
        if (!ended)
            co_return std::unexpected(ended.error());
        auto sent = co_await catch_up();
        if (!sent || *ended)
            co_return sent;
        if (news->lagged())
            continue; // much happened during a long history: read on in the store
        auto told = co_await live(*news);
        if (!told)
            co_return told;
    }
    co_return base::result<>{};
}

aio::awaitable<base::result<bool>> event_feed::task_has_ended()
{
    if (!what_.which.task_id)
        co_return false;
    const auto task = co_await service_->task(what_.who, what_.which.task_id->str());
    if (!task)
        co_return std::unexpected(task.error());
    co_return proto::api::has_ended(task->state);
}

aio::awaitable<base::result<>> event_feed::live(session::subscription& news)
{
    while (!done_) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(next_beat_ - base::mono_now());
        const auto limit = std::max(left, std::chrono::milliseconds{0});
        const auto items = co_await news.next(limit);
        if (items.empty() && news.lagged()) {
            append_lagged(unsent_, what_.format, position_);
            done_ = true;
        }
        take_live(items);
        auto sent = co_await flush();
        if (!sent)
            co_return sent;
        if (done_ || base::mono_now() < next_beat_)
            continue;
        auto beaten = co_await beat();
        if (!beaten)
            co_return beaten;
    }
    co_return base::result<>{};
}

aio::awaitable<base::result<>> event_feed::beat()
{
    next_beat_ = base::mono_now() + what_.heartbeat;
    auto page = co_await hub_->history(what_.which, position_, limits::event_page);
    if (!page)
        co_return std::unexpected(std::move(page.error()));
    take_page(*page);
    if (!done_)
        append_heartbeat(unsent_, what_.format, position_);
    co_return co_await flush();
}

aio::awaitable<base::result<>> event_feed::flush()
{
    std::string bytes = std::exchange(unsent_, {});
    co_return co_await out_->write(std::move(bytes));
}

void event_feed::take_page(const session::history_page& page)
{
    for (const auto& event : page.items) {
        if (done_)
            return;
        tell(event.seq, event, proto::api::to_json(event));
    }
    if (!done_)
        position_ = std::max(position_, page.reached);
}

void event_feed::take_live(const std::deque<session::live_item>& items)
{
    // Live text that was published before an event already told is in the history by now.
    const auto known = [this](const session::live_item& item) {
        return item.seq != 0 && item.seq <= position_;
    };
    const auto last_known = std::find_if(items.rbegin(), items.rend(), known);
    for (auto item = last_known.base(); item != items.end() && !done_; ++item)
        tell(item->seq, item->event, *item->json);
}

void event_feed::tell(base::event_seq seq, const proto::api::event& what, std::string_view json)
{
    const bool end = what_.follow && what_.which.task_id && what.type == end_of_task &&
        what.task_id == *what_.which.task_id;
    if (seq != 0)
        position_ = seq;
    if (!(hides_end_ && end)) {
        append_line(unsent_, what_.format, seq, json);
        if (seq != 0 && --what_.limit == 0)
            done_ = true;
    }
    done_ = done_ || end;
}

} // namespace agentd::api
