// The event_hub of the daemon: a list of subscriptions on a strand of its own, fed by the
// store's commits and by running requests.
#pragma once

#include "session/event_hub.hpp"
#include "store/store.hpp"

#include <list>

namespace agentd::session {

class hub final : public event_hub {
public:
    // Takes over db.on_events(): made before the first write.
    hub(const aio::executor& io, store::store& db);

    aio::awaitable<base::result<history_page>> history(
        store::events::filter which, base::event_seq after, std::size_t limit) override;
    aio::awaitable<std::unique_ptr<subscription>> subscribe(
        aio::executor strand, store::events::filter which) override;
    void publish(delta what) override;

private:
    class follower;
    struct state;
    static aio::awaitable<std::shared_ptr<follower>> add(
        std::shared_ptr<state> to, aio::executor strand, store::events::filter which);
    class handle;

    store::store& db_;
    std::shared_ptr<state> state_; // shared with what is posted and with the handles
};

} // namespace agentd::session
