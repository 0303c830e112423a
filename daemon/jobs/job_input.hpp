// The stdin of a running job that asked for one, as those who write to it see it. A pipe, and no
// pair of sockets: it is what programs know as their stdin, and /dev/stdin can be opened again
// on it. Or a terminal: then what is written appears in the output, as long as the job has not
// switched the echo off, and control characters make signals. Our end never blocks: a full one
// is waited for, with a deadline, and what was taken until then is said. Writes are done one
// after the other, in the order in which they came.
// On the strand of the job but for strand() and input_table. Bounded: limits::input_bytes a
// write; the writers are calls of the API and of tools, which have bounds of their own.
#pragma once

#include "aio/awaitable.hpp"
#include "aio/condition.hpp"
#include "base/ids.hpp"
#include "base/stdin_limits.hpp"
#include "base/unique_fd.hpp"
#include "jobs/command.hpp"
#include "jobs/readers.hpp"

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace agentd::jobs {

// Why a write was not, or not wholly, done.
enum class input_stop {
    none,          // it was
    not_started,   // the job was still queued at the deadline
    closed,        // the end of the input was written before
    unread,        // whatever had the other end has closed it
    ended,         // the job has ended
    timed_out,     // the job did not read in time
    line_too_long, // a terminal that waits for whole lines would lose the rest of it
};

struct input_result {
    std::size_t taken = 0; // bytes that the pipe or the terminal has
    bool closed = false;   // the end of the input has been written
    input_stop why = input_stop::none;
};

// "the job has ended", ...; for people.
[[nodiscard]] std::string_view reason_of(input_stop why);
[[nodiscard]] std::string_view to_string(input_stop why); // "timed_out", ...; "" for none

class job_input {
public:
    explicit job_input(aio::executor strand);

    [[nodiscard]] const aio::executor& strand() const { return strand_; }

    // The job runs, and this is our end of its stdin. One that cannot be watched is no end.
    // `terminal`: the other side of that, if it is one. It is kept open, so that a job that closes
    // all of its own descriptors can open /dev/tty again.
    void open(base::unique_fd end, base::unique_fd terminal);
    // The job has ended: whoever still writes goes on with what was taken.
    void end();

    // Writes `text`, then, with `eof`, closes the input (a terminal gets its end-of-file character
    // and stays open); for at most `limit`. `self` is this: it
    // lives as long as its writers, which may come from the API. Throws operation_aborted when
    // cancelled.
    static aio::awaitable<input_result> write(std::shared_ptr<job_input> self, std::string text,
        bool eof, std::chrono::milliseconds limit = limits::input_deadline);

    // Bytes taken so far, ends of the input counted in.
    [[nodiscard]] std::uint64_t total() const { return total_; }
    // By which the job's descriptors are known; nullopt: it is not open.
    [[nodiscard]] std::optional<input_identity> identity();
    // The job is silent and waits for it, as far as is known (see stalls.hpp).
    void set_awaited(bool is) { awaited_ = is; }
    [[nodiscard]] bool awaited() const { return awaited_; }
    // How often its processes were looked at for that.
    void note_look() { ++looks_; }
    [[nodiscard]] std::uint64_t looks() const { return looks_; }

private:
    using time_point = std::chrono::steady_clock::time_point;
    struct turn;

    // Until it is that one's turn and the job runs; why not, else.
    aio::awaitable<input_stop> wait_for_turn(std::uint64_t number, time_point deadline);
    aio::awaitable<input_stop> write_all(std::string_view rest, std::size_t& taken, time_point by);
    aio::awaitable<> wait_for_room(time_point deadline);
    void took(std::string_view part);
    // How much of a line a terminal would hold back behind `text`; nullopt: it would lose some.
    [[nodiscard]] std::optional<std::size_t> unfinished_behind(std::string_view text) const;
    // What makes the end of the input behind `text`.
    [[nodiscard]] std::string end_mark(std::string_view text) const;
    void close();

    enum class at { waiting, open, closed, ended };

    aio::executor strand_;
    at at_ = at::waiting;
    aio::asio::posix::basic_stream_descriptor<aio::executor> pipe_; // or terminal
    base::unique_fd terminal_; // the job's side of it; none: it is a pipe
    std::size_t line_ = 0;     // of a terminal: bytes of the line that has not been ended yet
    std::uint64_t total_ = 0;
    bool awaited_ = false;
    std::uint64_t looks_ = 0;
    std::uint64_t next_ = 0;          // number of the next writer
    std::deque<std::uint64_t> queue_; // of those that have not ended
    aio::condition changed_;
};

// The inputs of all running jobs, by which the API finds them. Any thread: one lock, held for a
// look-up, never across an await.
class input_table {
public:
    void add(const base::job_id& id, std::shared_ptr<job_input> what);
    void remove(const base::job_id& id);
    // nullptr: that job has none, or does not live. Shared with the job: see job_input::write().
    [[nodiscard]] std::shared_ptr<job_input> find(const base::job_id& id) const;

private:
    mutable std::mutex lock_;
    std::map<base::job_id, std::shared_ptr<job_input>> all_;
};

} // namespace agentd::jobs
