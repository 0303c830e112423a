// What a server says of its models, remembered for all sessions: the most input tokens that one
// takes. Whoever asks first for a model asks the server; others who come meanwhile wait for his
// answer. On the origin's strand only. Bounded: limits::known_models.
#pragma once

#include "aio/awaitable.hpp"
#include "aio/flag.hpp"
#include "base/clock.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace agentd::model {

class input_limits {
public:
    explicit input_limits(aio::executor strand) : strand_(std::move(strand)) {}

    // `ask`: the caller has to ask the server, and then to tell what came of it, whatever it is.
    struct ticket {
        bool ask = false;
        std::optional<std::int64_t> limit; // if not; nothing: the server does not say
    };
    // Waits while another asks. Throws operation_aborted when cancelled.
    [[nodiscard]] aio::awaitable<ticket> look_up(std::string model);

    // What came of it; `for_good`: asking again would bring nothing else.
    void learnt(const std::string& model, std::optional<std::int64_t> limit, bool for_good);
    // He who asked has gone: the next one has to.
    void abandoned(const std::string& model);

private:
    struct entry {
        bool is_being_asked = true;
        std::optional<std::int64_t> limit;
        base::mono_time until = base::mono_time::max(); // then it is asked again
        base::mono_time used{};
        std::shared_ptr<aio::flag> settled; // shared with those who wait, as the entry may go
    };
    // False: there is no room, as all that are known are being asked for.
    bool make_room();

    aio::executor strand_;
    std::map<std::string, entry> known_;
};

} // namespace agentd::model
