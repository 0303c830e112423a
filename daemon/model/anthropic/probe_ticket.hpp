// One attempt as the others see it: what its reply's head says of the limits they share, and,
// if it is the probe for all (rate_gate), what came of it, however it ends. It lives until what
// its failure means for the others has been told: not every 429 has them wait again. On the
// strand of the request; what it tells is posted to the origin's.
#pragma once

#include "model/exchange.hpp"
#include "model/origin.hpp"

#include <memory>
#include <string>
#include <utility>

namespace agentd::model::anthropic {

class probe_ticket {
public:
    probe_ticket(std::shared_ptr<origin> at, std::string model, bool is_probe)
        : at_(std::move(at)), model_(std::move(model)), is_open_(is_probe)
    {}
    // A probe that was not let through, or without an answer: the next one has to try.
    ~probe_ticket();
    probe_ticket(const probe_ticket&) = delete;
    probe_ticket& operator=(const probe_ticket&) = delete;

    void on_head(const reply_head& head);

private:
    std::shared_ptr<origin> at_;
    std::string model_;
    bool is_open_;
};

// Shows a reply's head to a ticket before its taker gets it.
class shown_head final : public reply_taker {
public:
    shown_head(probe_ticket& to, reply_taker& into) : to_(to), into_(into) {}
    void on_head(const reply_head& head) override
    {
        to_.on_head(head);
        into_.on_head(head);
    }
    bool on_body(std::string_view piece) override { return into_.on_body(piece); }

private:
    probe_ticket& to_;
    reply_taker& into_;
};

} // namespace agentd::model::anthropic
