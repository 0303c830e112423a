// One `ask` from its first attempt to its end: the state that its attempts share. A local of
// the asking coroutine, on its strand.
#pragma once

#include "model/anthropic/probe_ticket.hpp"
#include "model/client.hpp"
#include "model/exchange.hpp"
#include "model/origin.hpp"
#include "model/retry_policy.hpp"
#include "proto/messages/encode.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::model::anthropic {

class asking {
public:
    asking(std::shared_ptr<origin> at, request what, progress& told);

    // Until there is a reply or nothing is left to try. Throws operation_aborted.
    [[nodiscard]] aio::awaitable<outcome> run();

private:
    using attempt_result = std::expected<reply, attempt_failure>;
    struct let_in {
        connection_ptr used; // null: a new one is needed
        bool is_probe = false;
    };

    aio::awaitable<attempt_result> attempt();
    // Sends the request over `over`, or over a new connection where that is null.
    aio::awaitable<attempt_result> send_over(connection_ptr over);
    // Waits until the model's limits let a request through; with an idle connection, if any.
    aio::awaitable<std::expected<let_in, attempt_failure>> pass_gate();
    // True: it goes on, with another attempt or another model.
    aio::awaitable<bool> recover(attempt_failure& why);
    // Waits as long as the policy and those who wait for the same limit have it. False: that is
    // too long; `why` says so.
    aio::awaitable<bool> back_off(attempt_failure& why, std::chrono::milliseconds delay);
    // How long the others, who want the same model, should wait for what was met. Not for an
    // overload where there is another model: they find it themselves, and wait as they are told.
    [[nodiscard]] std::optional<std::chrono::milliseconds> hold_of_others(
        const attempt_failure& why, std::optional<std::chrono::milliseconds> delay) const;
    // The next model to try, among the configured ones; their number where there is none.
    [[nodiscard]] std::size_t next_fallback() const;
    bool fall_back(const failure& why);
    // True: the history had thinking that the server does not accept; it is out now.
    bool drop_thinking(const attempt_failure& why);
    void finish(reply& made);
    failure finish(failure why);
    // As people may read it. What decides looks at it before.
    [[nodiscard]] failure shown(failure why) const;
    void encode();

    std::shared_ptr<origin> at_;
    request what_;
    progress& told_;
    retry_policy policy_;
    std::string model_;
    std::optional<probe_ticket> probe_; // of the attempt, until the others are told of its end
    std::size_t next_fallback_ = 0;
    std::size_t overloads_ = 0; // in a row, of this model
    std::int64_t sent_ = 0;     // attempts; what still waits before the gate is none
    bool without_thinking_ = false;
    std::vector<billed> discarded_;
    std::optional<proto::messages::request_body> body_;
    std::string head_; // with the credential in it
    std::vector<std::string_view> slices_;
};

} // namespace agentd::model::anthropic
