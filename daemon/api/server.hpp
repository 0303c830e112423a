// The local API's server: takes connections from a listening Unix socket and owns their
// coroutines (DESIGN §6). Each connection runs on a strand of its own.
//
//     server api{io, std::move(listening), parts, options};
//     api.start();  ...  api.drain();  ...  co_await api.stop();
#pragma once

#include "aio/task_group.hpp"
#include "api/context.hpp"
#include "base/unique_fd.hpp"

namespace agentd::api {

class server {
public:
    // `io` is the io_context's executor; `listening` a listening Unix socket (listener.hpp).
    // What `from` points to outlives the server.
    server(aio::executor io, base::unique_fd listening, const parts& from, const options& bounds);

    // Begins to accept. Any thread, once.
    void start();
    // From now on submits and messages are refused (503); all else goes on. Any thread.
    void drain();
    // Stops accepting, cancels what still runs, goes on when all connections are closed. From
    // any strand; once, and before the server dies.
    aio::awaitable<> stop();

    [[nodiscard]] std::size_t connections() const { return all_.clients.connections(); }

private:
    aio::awaitable<> accept_all();
    aio::awaitable<> end_all();
    void take(base::unique_fd connected);

    aio::executor io_;
    aio::executor strand_; // of group_ and listening_
    base::unique_fd listening_;
    bool stopping_ = false; // on strand_
    context all_;
    aio::task_group group_;
};

} // namespace agentd::api
