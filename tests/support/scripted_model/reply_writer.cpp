// See reply_writer.hpp.
#include "reply_writer.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

namespace agentd::testing {

namespace {

// Asio adds the time of a timer to others': max() itself would overflow.
constexpr std::chrono::hours for_ever{24 * 365};

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

// One reply on its way out. Each function says whether to go on; if not, `end_` says why.
class running_reply {
public:
    running_reply(byte_stream& to, const wire_plan& plan, holds& gates)
        : to_{to}, plan_{plan}, gates_{gates}
    {}

    asio::awaitable<reply_end> run()
    {
        const auto& timing = plan_.timing;
        auto on = co_await before_head();
        if (!on)
            co_return end_;
        if (goes_out_at_once(timing))
            on = co_await write_whole();
        else
            on = co_await write_in_steps();
        co_return on ? reply_end::whole : end_;
    }

private:
    asio::awaitable<bool> before_head()
    {
        const auto& timing = plan_.timing;
        auto on = co_await pause(timing.delay);
        if (on && !timing.hold.empty() && !timing.hold_after_events)
            on = co_await gates_.pass(to_, timing.hold);
        if (on && timing.early_close)
            on = cut();
        co_return on;
    }

    asio::awaitable<bool> write_whole()
    {
        std::string all = plan_.head;
        for (const auto& piece : plan_.pieces)
            append_chunk(all, piece, plan_.chunked);
        if (plan_.chunked)
            all.append("0\r\n\r\n");
        co_return co_await to_.write(asio::buffer(all));
    }

    asio::awaitable<bool> write_in_steps()
    {
        auto on = co_await to_.write(asio::buffer(plan_.head));
        if (on)
            on = co_await pause(plan_.timing.first_byte_delay);
        for (std::size_t i = 0; on && i <= plan_.pieces.size(); ++i) {
            on = co_await faults_before(i);
            if (on && i < plan_.pieces.size())
                on = co_await write_piece(i);
        }
        constexpr std::string_view last = "0\r\n\r\n";
        if (on && plan_.chunked)
            on = co_await to_.write(asio::buffer(last));
        co_return on;
    }

    asio::awaitable<bool> faults_before(std::size_t event)
    {
        const auto& timing = plan_.timing;
        if (timing.cut_after_events == event)
            co_return cut();
        bool on = true;
        if (timing.stall_after_events == event)
            on = co_await pause(for_ever);
        if (on && timing.hold_after_events == event)
            on = co_await gates_.pass(to_, timing.hold);
        if (on && event > 0 && event < plan_.pieces.size())
            on = co_await pause(timing.between);
        co_return on;
    }

    asio::awaitable<bool> write_piece(std::size_t index)
    {
        std::string_view piece = plan_.pieces[index];
        auto size = plan_.timing.write_bytes == 0 ? piece.size() : plan_.timing.write_bytes;
        bool on = true;
        while (on && !piece.empty()) {
            std::string bytes;
            append_chunk(bytes, piece.substr(0, size), plan_.chunked);
            piece.remove_prefix(std::min(size, piece.size()));
            on = co_await to_.write(asio::buffer(bytes));
        }
        co_return on;
    }

    asio::awaitable<bool> pause(std::chrono::milliseconds time)
    {
        if (time.count() == 0)
            co_return true;
        asio::steady_timer timer{to_.socket().get_executor(), time};
        auto here = co_await to_.sleep(timer);
        co_return here;
    }

    bool cut()
    {
        to_.cut(plan_.timing.reset);
        end_ = reply_end::cut;
        return false;
    }

    byte_stream& to_;
    const wire_plan& plan_;
    holds& gates_;
    reply_end end_ = reply_end::client_closed;
};

} // namespace

asio::awaitable<reply_end> write_reply(byte_stream& to, const wire_plan& plan, holds& gates)
{
    running_reply reply{to, plan, gates};
    auto end = co_await reply.run();
    co_return end;
}

} // namespace agentd::testing
