#include "store/trouble.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "store/store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace agentd::store {
namespace {

// Small, and few: they fit into the room for bad days.
bool ends_work(step name)
{
    switch (name) {
    case step::request_cancel:
    case step::delete_session:
    case step::finish_call:
    case step::wait_for_jobs:
    case step::finish_task:
    case step::finish_job:
    case step::daemon_event: return true;
    default: return false;
    }
}

} // namespace

trouble::trouble(const std::string& database) : reserve_(database + "-reserve") {}

std::string trouble::text() const
{
    const std::lock_guard lock{mutex_};
    return text_;
}

void trouble::on_change(std::function<void(std::string)> sink)
{
    const std::lock_guard lock{mutex_};
    sink_ = std::move(sink);
    if (!text_.empty())
        sink_(text_);
}

bool trouble::begin(const base::error& why, std::string_view what)
{
    if (why_ && (is_lasting() || !why.is(errc::corrupt)))
        return false;
    const auto text =
        fmt::format("the state cannot be written: {} ({})", why.code.message(), why.text);
    why_ = base::error{why.code, text};
    log::error("store.degraded", {}, "{}; met by {}", text, what);
    note_probe();
    give_room();
    tell(text);
    return true;
}

void trouble::end()
{
    if (!std::exchange(why_, std::nullopt))
        return;
    log::info("store.recovered", {}, "the state can be written again");
    tell({});
}

std::optional<base::error> trouble::refusal(step name) const
{
    if (!why_ || (ends_work(name) && !is_lasting()))
        return std::nullopt;
    return why_;
}

void trouble::give_room()
{
    if (why_ && why_->is(errc::no_space))
        reserve_.give_back();
}

std::optional<std::chrono::milliseconds> trouble::until_probe() const
{
    if (!why_ || is_lasting())
        return std::nullopt;
    const auto passed = base::elapsed_since(probed_);
    return std::max(limits::store_probe - passed, std::chrono::milliseconds{0});
}

bool trouble::is_lasting() const
{
    return why_ && why_->is(errc::corrupt);
}

void trouble::tell(std::string text)
{
    const std::lock_guard lock{mutex_};
    text_ = text;
    if (sink_)
        sink_(std::move(text));
}

} // namespace agentd::store
