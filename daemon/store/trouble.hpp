// What the store does while the disk refuses: which works it does not even try, when it tries
// the disk anew, who is told (README.md has the table). A damaged database is written no more
// until the next start: what is left of it could be lost by that.
// On the writing thread, where nothing else is said.
#pragma once

#include "base/clock.hpp"
#include "base/error.hpp"
#include "store/reserve.hpp"
#include "store/step.hpp"

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace agentd::store {

class trouble {
public:
    explicit trouble(const std::string& database);

    // Why writes fail; empty: they do not. Any thread.
    [[nodiscard]] std::string text() const;
    // `sink` hears text() at each beginning and each end, on the writing thread, or at once if
    // it has begun. Any thread, once.
    void on_change(std::function<void(std::string)> sink);

    [[nodiscard]] bool is_there() const { return why_.has_value(); }
    // A commit of `what` has failed. True: that is news, and room was made for what ends work.
    bool begin(const base::error& why, std::string_view what);
    void end();
    // Why a work is not tried now; nullopt: it is. What ends work is tried.
    [[nodiscard]] std::optional<base::error> refusal(step name) const;

    // The room for bad days. take_room(): false, the disk is still full.
    [[nodiscard]] bool take_room() { return reserve_.take(); }
    void give_room();

    // How long until the disk is tried anew; nullopt: it is not.
    [[nodiscard]] std::optional<std::chrono::milliseconds> until_probe() const;
    void note_probe() { probed_ = base::mono_now(); }

private:
    [[nodiscard]] bool is_lasting() const;
    void tell(std::string text);

    reserve reserve_;
    std::optional<base::error> why_;
    base::mono_time probed_;

    mutable std::mutex mutex_; // of the following
    std::string text_;
    std::function<void(std::string)> sink_;
};

} // namespace agentd::store
