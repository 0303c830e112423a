// Reads a command's pipe into its sink until the end of it. A full sink is waited for: then the
// pipe fills up and the command waits. When the command's tree is gone and somebody else still
// holds the pipe, finish_soon() makes it end with what is there by then. Behind the bound on all
// output, the command's or its session's, it lets go of the pipe: who writes on gets EPIPE, so not
// even a flood that ignores signals goes on. (Of a terminal the supervisor has to close the input,
// too: then it hangs up, and who writes on gets EIO.)
// On the strand of the command.
#pragma once

#include "aio/awaitable.hpp"
#include "base/unique_fd.hpp"
#include "jobs/bell.hpp"
#include "jobs/output_sink.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace agentd::jobs {

class session_account;

class pump {
public:
    // `ended` is rung when the pipe is at its end. A pipe that cannot be watched is at its end.
    // `most`: bytes that the sink gets; 0: all. `account`: of the session, into which they are
    // paid; may be null, else outlives this.
    pump(const aio::executor& strand, base::unique_fd pipe, output_sink& sink, bell& ended,
        std::uint64_t most, session_account* account);

    // Once, in a coroutine of its own; ends by itself or after finish_soon().
    aio::awaitable<> run();
    void finish_soon();
    // Why nothing can be read at all; empty: it can.
    [[nodiscard]] const std::string& refusal() const { return refusal_; }
    [[nodiscard]] bool at_end() const { return at_end_; }
    // Whether more was written than the sink may get; at_end() holds then.
    [[nodiscard]] bool over() const { return over_; }
    // Whether it was the session's bound, and not its own, that was met.
    [[nodiscard]] bool over_session() const { return over_ && left_ != 0; }
    [[nodiscard]] std::uint64_t total() const { return total_; } // bytes read so far

private:
    enum class got { bytes, nothing, end };
    got read_once();
    got look_beyond();
    [[nodiscard]] std::uint64_t may_take() const;
    void close();

    aio::asio::posix::basic_stream_descriptor<aio::executor> pipe_;
    output_sink& sink_;
    bell& ended_;
    session_account* const account_; // null: its output is not bounded
    bool finishing_ = false;
    std::size_t may_read_; // after finish_soon(): what was in the pipe then
    std::uint64_t left_;   // of `most`
    bool over_ = false;
    std::uint64_t total_ = 0;
    bool at_end_ = false;
    std::string refusal_;
};

} // namespace agentd::jobs
