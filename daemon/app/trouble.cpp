// The daemon tells that its state cannot be written, and that it can be again: to systemd at
// once, in the history as soon as the disk takes it. (The log has it from the store.)
// On the daemon's strand.
#include "app/daemon.hpp"
#include "app/notify.hpp"
#include "base/log.hpp"
#include "proto/json/writer.hpp"

#include <boost/asio/post.hpp>

#include <fmt/format.h>

#include <utility>

namespace agentd::app {
namespace {

std::string body_of(const trouble& what, bool over)
{
    std::string body;
    proto::json::object_writer to{body};
    {
        auto reasons = to.array("reasons");
        reasons.item(what.why);
    }
    if (over)
        to.member("degraded_ms", base::elapsed_since(what.since).count());
    to.close();
    return body;
}

} // namespace

void daemon::heed_store()
{
    db_->on_trouble([this](std::string why) { // on the store's thread
        boost::asio::post(strand_, [this, why = std::move(why)]() mutable {
            if (!store_news_.push(std::move(why)))
                log::warning("daemon.event_lost", {}, "the disk comes and goes: not all is told");
        });
    });
}

aio::awaitable<> daemon::tell_trouble()
{
    std::optional<trouble> now;
    for (;;) {
        auto why = co_await store_news_.pop();
        if (why.empty() && now) {
            auto over = *std::exchange(now, std::nullopt);
            co_await tell_end(std::move(over));
        } else if (!why.empty() && !now) {
            notify_status(fmt::format("degraded: {}", why));
            now = trouble{std::move(why), base::wall_now(), base::mono_now(), false};
            auto body = body_of(*now, false);
            const bool stored = co_await record("daemon.degraded", std::move(body), now->when);
            now->recorded = stored;
        }
    }
}

aio::awaitable<> daemon::tell_end(trouble over)
{
    notify_status(status_.degraded().empty() ? "serving" : "degraded");
    if (!over.recorded) {
        auto begun = body_of(over, false);
        co_await record("daemon.degraded", std::move(begun), over.when);
    }
    auto end = body_of(over, true);
    co_await record("daemon.restored", std::move(end));
}

} // namespace agentd::app
