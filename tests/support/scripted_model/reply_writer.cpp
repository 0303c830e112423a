// See reply_writer.hpp.
#include "reply_writer.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace agentd::testing {

namespace {

// Asio adds the time of a timer to others': max() itself would overflow.
constexpr std::chrono::hours for_ever{24 * 365};
constexpr std::string_view last_chunk = "0\r\n\r\n";

void append_chunk(std::string& out, std::string_view bytes, bool chunked)
{
    if (!chunked) {
        out.append(bytes);
        return;
    }
    if (bytes.empty())
        return; // an empty chunk would end the body
    constexpr std::string_view hex = "0123456789abcdef";
    std::string size;
    for (auto left = bytes.size(); left > 0; left /= 16)
        size.insert(size.begin(), hex[left % 16]);
    out.append(size).append("\r\n").append(bytes).append("\r\n");
}

bool goes_out_at_once(const reply_timing& timing)
{
    return timing.first_byte_delay.count() == 0 && timing.between.count() == 0 &&
        !timing.hold_after_events && !timing.stall_after_events && !timing.cut_after_events &&
        timing.write_bytes == 0;
}

// One reply on its way out; `end_` says why it ended early.
class running_reply {
public:
    running_reply(byte_stream& to, const wire_plan& plan, holds& gates,
        const std::function<void()>& completing)
        : to_{to}, plan_{plan}, gates_{gates}, completing_{completing}
    {}

    asio::awaitable<reply_end> run()
    {
        auto started = co_await before_head();
        if (!started)
            co_return end_;
        if (goes_out_at_once(plan_.timing)) {
            auto written = co_await write_whole();
            co_return written ? reply_end::whole : end_;
        }
        auto written = co_await write_in_steps();
        co_return written ? reply_end::whole : end_;
    }

private:
    // Each says whether to go on.
    asio::awaitable<bool> before_head()
    {
        const auto& timing = plan_.timing;
        auto waited = co_await pause(timing.delay);
        if (!waited)
            co_return false;
        if (!timing.hold.empty() && !timing.hold_after_events) {
            auto passed = co_await gates_.pass(to_, timing.hold);
            if (!passed)
                co_return false;
        }
        co_return timing.early_close ? cut() : true;
    }

    asio::awaitable<bool> write_whole()
    {
        std::string all = plan_.head;
        for (const auto& piece : plan_.pieces)
            append_chunk(all, piece, plan_.chunked);
        if (plan_.chunked)
            all.append(last_chunk);
        completing_();
        auto written = co_await to_.write(asio::buffer(all));
        co_return written;
    }

    asio::awaitable<bool> write_in_steps()
    {
        auto written = co_await to_.write(asio::buffer(plan_.head));
        if (!written)
            co_return false;
        auto waited = co_await pause(plan_.timing.first_byte_delay);
        if (!waited)
            co_return false;
        for (std::size_t i = 0; i < plan_.pieces.size(); ++i) {
            auto on = co_await write_event(i);
            if (!on)
                co_return false;
        }
        auto on = co_await faults_before(plan_.pieces.size());
        if (!on || !plan_.chunked)
            co_return on;
        auto ended = co_await to_.write(asio::buffer(last_chunk));
        co_return ended;
    }

    asio::awaitable<bool> write_event(std::size_t index)
    {
        auto on = co_await faults_before(index);
        if (!on)
            co_return false;
        if (index > 0) {
            auto waited = co_await pause(plan_.timing.between);
            if (!waited)
                co_return false;
        }
        bool is_last = index + 1 == plan_.pieces.size();
        if (is_last)
            completing_();
        auto written = co_await write_piece(plan_.pieces[index]);
        if (is_last && written)
            end_ = reply_end::unended;
        co_return written;
    }

    asio::awaitable<bool> faults_before(std::size_t event)
    {
        const auto& timing = plan_.timing;
        if (timing.cut_after_events == event)
            co_return cut();
        if (timing.stall_after_events == event) {
            auto endured = co_await pause(for_ever);
            co_return endured;
        }
        if (timing.hold_after_events == event) {
            auto passed = co_await gates_.pass(to_, timing.hold);
            co_return passed;
        }
        co_return true;
    }

    // `piece` belongs to the plan, which outlives the reply.
    asio::awaitable<bool> write_piece(std::string_view piece)
    {
        auto size = plan_.timing.write_bytes == 0 ? piece.size() : plan_.timing.write_bytes;
        while (!piece.empty()) {
            std::string bytes;
            append_chunk(bytes, piece.substr(0, size), plan_.chunked);
            piece.remove_prefix(std::min(size, piece.size()));
            auto written = co_await to_.write(asio::buffer(bytes));
            if (!written)
                co_return false;
        }
        co_return true;
    }

    asio::awaitable<bool> pause(std::chrono::milliseconds time)
    {
        if (time.count() == 0)
            co_return true;
        asio::steady_timer timer{to_.socket().get_executor(), time};
        auto here = co_await to_.stays_until(timer);
        co_return here;
    }

    bool cut()
    {
        to_.cut(plan_.timing.reset);
        if (end_ != reply_end::unended)
            end_ = reply_end::cut;
        return false;
    }

    byte_stream& to_;
    const wire_plan& plan_;
    holds& gates_;
    const std::function<void()>& completing_;
    reply_end end_ = reply_end::client_closed;
};

} // namespace

asio::awaitable<reply_end> write_reply(
    byte_stream& to, const wire_plan& plan, holds& gates, const std::function<void()>& completing)
{
    running_reply reply{to, plan, gates, completing};
    auto end = co_await reply.run();
    co_return end;
}

} // namespace agentd::testing
