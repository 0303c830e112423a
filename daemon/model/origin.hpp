// Everything that requests to one configured endpoint share: what the configuration says, the
// trust, the open connections, what it was told of the server's limits. All but the first two
// live on a strand of its own and are reached by post. Replaced as a whole at a reload.
#pragma once

#include "aio/awaitable.hpp"
#include "base/clock.hpp"
#include "model/connection.hpp"
#include "model/connector.hpp"
#include "model/input_limits.hpp"
#include "model/options.hpp"
#include "model/pool.hpp"
#include "model/rate_gate.hpp"
#include "model/url.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentd::model {

// True for what can stand in a header without ending or bending it.
[[nodiscard]] bool is_header_text(std::string_view text);

// Shared: requests that began before a reload end with what they began with.
class origin {
public:
    [[nodiscard]] static std::shared_ptr<origin> make(const aio::executor& io, options what);

    // Constants of its life; any thread.
    [[nodiscard]] const options& configured() const { return what_; }
    [[nodiscard]] const url& address() const { return address_; }
    // What is sent to be let in, here and at a proxy that forwards: no text may quote it.
    [[nodiscard]] const std::vector<std::string>& secrets() const { return secrets_; }
    // Why it cannot be used at all: the type and the sentence of the failure; "" if it can.
    [[nodiscard]] const std::string& fault() const { return fault_; }
    [[nodiscard]] const std::string& fault_type() const { return fault_type_; }

    // What one who wants to ask `model` may do now: wait and come again, or go on, with a used
    // connection if one is free.
    struct admission {
        std::chrono::milliseconds wait{0};
        bool is_probe = false; // it has to tell what came of it: probe_ended
        connection_ptr used;
    };
    // From any strand.
    [[nodiscard]] aio::awaitable<admission> enter(std::string model);
    // One was asked to wait for `hold` and comes back: holds the others, too, and gives it its
    // place among them, as the time until then. From any strand.
    [[nodiscard]] aio::awaitable<std::chrono::milliseconds> line_up(
        std::string model, std::chrono::milliseconds hold);
    // A used connection that is free, past all limits; null when there is none. From any strand.
    [[nodiscard]] aio::awaitable<connection_ptr> unused_connection();
    // A connection of its own; on the caller's strand. bad_options where there is a fault.
    [[nodiscard]] aio::awaitable<base::result<connection_ptr>> connect();
    // Any thread; `self` keeps it alive until its strand has done it.
    static void give_back(std::shared_ptr<origin> self, connection_ptr unused);
    // Any thread, as are the next three: see rate_gate's functions.
    static void hold_until(std::shared_ptr<origin> self, std::string model, base::mono_time until);
    static void spent_until(std::shared_ptr<origin> self, std::string model, base::mono_time reset);
    static void probe_ended(std::shared_ptr<origin> self, std::string model, bool passed);
    // The input limit of a model, as input_limits has it. look_up_limit from any strand, the
    // others from any thread.
    [[nodiscard]] aio::awaitable<input_limits::ticket> look_up_limit(std::string model);
    static void limit_is(std::shared_ptr<origin> self, std::string model,
        std::optional<std::int64_t> limit, bool for_good);
    static void limit_is_not_asked_for(std::shared_ptr<origin> self, std::string model);
    // The server refused the credential: that is so until there is another (a reload).
    void credential_was_refused() { refused_ = true; }
    [[nodiscard]] bool credential_is_refused() const { return refused_; }

private:
    origin(const aio::executor& io, options what);
    aio::awaitable<admission> enter_here(std::string model);
    aio::awaitable<std::chrono::milliseconds> line_up_here(
        std::string model, std::chrono::milliseconds hold);
    // The limits of a model are its own: the others go on. Made where there is none yet.
    rate_gate& gate_of(const std::string& model);
    aio::awaitable<connection_ptr> take_here();
    // Takes the options apart; where they cannot be used, says so in fault_.
    void prepare();
    void unusable(std::string_view type, std::string text);

    aio::executor io_;
    aio::executor strand_;
    options what_;
    url address_;
    std::optional<connector> connector_; // set unless there is a fault
    std::vector<std::string> secrets_;
    std::string fault_, fault_type_;
    std::atomic<bool> refused_{false};
    pool pool_;
    std::map<std::string, rate_gate> gates_; // of models that met a limit
    input_limits input_limits_;
};

} // namespace agentd::model
