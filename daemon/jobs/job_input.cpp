#include "jobs/job_input.hpp"

#include "aio/deadline.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace agentd::jobs {

namespace asio = boost::asio;

std::string_view reason_of(input_stop why)
{
    switch (why) {
    case input_stop::none: break;
    case input_stop::not_started: return "the job has not been started yet";
    case input_stop::closed: return "its input is closed already";
    case input_stop::unread: return "the job has closed its stdin";
    case input_stop::ended: return "the job has ended";
    case input_stop::timed_out: return "the job did not read more";
    case input_stop::line_too_long:
        static_assert(limits::terminal_line == 4095);
        return "a line of a terminal holds at most 4095 bytes, its end included, of all that has "
               "been written to it";
    }
    return "";
}

std::string_view to_string(input_stop why)
{
    switch (why) {
    case input_stop::none: break;
    case input_stop::not_started: return "not_started";
    case input_stop::closed: return "closed";
    case input_stop::unread: return "unread";
    case input_stop::ended: return "ended";
    case input_stop::timed_out: return "timed_out";
    case input_stop::line_too_long: return "line_too_long";
    }
    return "";
}

// The place of one writer among the others, for as long as it writes.
struct job_input::turn {
    explicit turn(job_input& at) : owner(at), number(at.next_++) { owner.queue_.push_back(number); }
    ~turn()
    {
        std::erase(owner.queue_, number);
        owner.changed_.notify_all();
    }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;

    job_input& owner;
    const std::uint64_t number;
};

job_input::job_input(aio::executor strand)
    : strand_(std::move(strand)), pipe_(strand_), changed_(strand_)
{}

void job_input::open(base::unique_fd end, base::unique_fd terminal)
{
    terminal_ = std::move(terminal);
    boost::system::error_code refused;
    pipe_.assign(end.get(), refused);
    if (refused) {
        log::warning("job.input_lost", {}, "cannot watch a pipe: {}", refused.message());
        at_ = at::closed;
    } else {
        [[maybe_unused]] const int owned = end.release();
        at_ = at::open;
    }
    changed_.notify_all();
}

void job_input::close()
{
    boost::system::error_code ignored;
    pipe_.close(ignored); // whoever waits for room goes on
    terminal_.reset();
}

void job_input::end()
{
    close();
    at_ = at::ended;
    changed_.notify_all();
}

aio::awaitable<input_result> job_input::write(
    std::shared_ptr<job_input> self, std::string text, bool eof, std::chrono::milliseconds limit)
{
    const auto deadline = base::mono_now() + limit;
    const turn mine{*self};
    input_result result;
    const auto refused = co_await self->wait_for_turn(mine.number, deadline);
    result.why = refused;
    if (refused != input_stop::none)
        co_return result;
    if (!self->unfinished_behind(text)) {
        result.why = input_stop::line_too_long;
        co_return result;
    }
    const auto size = text.size();
    if (eof)
        text += self->end_mark(text);
    std::size_t taken = 0;
    const auto stopped = co_await self->write_all(text, taken, deadline);
    result.why = stopped;
    result.taken = std::min(taken, size);
    result.closed = stopped == input_stop::none && eof;
    if (result.closed && !self->terminal_) {
        ++self->total_;
        self->awaited_ = false;
        self->close();
        self->at_ = at::closed;
    }
    co_return result;
}

// At once, and not when all is written: a write that is cancelled has been taken up to here.
void job_input::took(std::string_view part)
{
    line_ = unfinished_behind(part).value_or(line_ + part.size());
    total_ += part.size();
    awaited_ = false;
}

std::optional<input_identity> job_input::identity()
{
    if (at_ != at::open)
        return std::nullopt;
    struct stat about{};
    input_identity own;
    own.terminal = static_cast<bool>(terminal_);
    const int fd = own.terminal ? terminal_.get() : pipe_.native_handle();
    if (::fstat(fd, &about) != 0)
        return std::nullopt;
    own.device = own.terminal ? about.st_rdev : about.st_dev;
    own.inode = about.st_ino;
    termios now{};
    own.secret = own.terminal && ::tcgetattr(fd, &now) == 0 && (now.c_lflag & ICANON) != 0 &&
        (now.c_lflag & ECHO) == 0;
    return own;
}

// A terminal makes the end of the input of a character at the beginning of a line; within one it
// only hands over what there is, and a second one is the end.
std::string job_input::end_mark(std::string_view text) const
{
    termios now{};
    if (!terminal_ || ::tcgetattr(terminal_.get(), &now) != 0)
        return {};
    const bool within_line = unfinished_behind(text) != std::size_t{0};
    return std::string(within_line ? 2 : 1, static_cast<char>(now.c_cc[VEOF]));
}

// A terminal that waits for whole lines keeps what is not ended yet, of all writes together. What
// erases some of it is counted as a part of it: an estimate errs upwards.
std::optional<std::size_t> job_input::unfinished_behind(std::string_view text) const
{
    termios now{};
    if (!terminal_ || ::tcgetattr(terminal_.get(), &now) != 0 || (now.c_lflag & ICANON) == 0)
        return 0;
    const auto character = [&now](int which) { return static_cast<char>(now.c_cc[which]); };
    std::string ends{'\n', character(VEOF)};
    for (const int which : {VEOL, VEOL2})
        if (character(which) != 0) // else there is none
            ends += character(which);
    if ((now.c_iflag & ICRNL) != 0)
        ends += '\r';
    auto line = line_;
    while (!text.empty()) {
        const auto end = text.find_first_of(ends);
        line += std::min(end, text.size());
        if (line >= limits::terminal_line)
            return std::nullopt;
        if (end == text.npos)
            break;
        line = 0;
        text.remove_prefix(end + 1);
    }
    return line;
}

aio::awaitable<input_stop> job_input::wait_for_turn(std::uint64_t number, time_point deadline)
{
    for (;;) {
        const bool first = queue_.front() == number;
        if (at_ == at::ended)
            co_return input_stop::ended;
        if (first && at_ == at::closed)
            co_return input_stop::closed;
        if (first && at_ == at::open)
            co_return input_stop::none;
        if (base::mono_now() >= deadline)
            co_return at_ == at::waiting ? input_stop::not_started : input_stop::timed_out;
        co_await changed_.wait_until(deadline);
    }
}

aio::awaitable<input_stop> job_input::write_all(
    std::string_view rest, std::size_t& taken, time_point by)
{
    while (!rest.empty()) {
        if (at_ != at::open)
            co_return input_stop::ended;
        const auto n = ::write(pipe_.native_handle(), rest.data(), rest.size());
        if (n > 0) {
            const auto bytes = static_cast<std::size_t>(n);
            taken += bytes;
            took(rest.substr(0, bytes));
            rest.remove_prefix(bytes);
            continue;
        }
        const int error = n < 0 ? errno : EAGAIN;
        if (error == EINTR)
            continue;
        if (error != EAGAIN) {
            // A job that ends closes its stdin a moment before that is seen: the better reason.
            const auto until = base::mono_now() + limits::input_recheck;
            while (at_ == at::open && base::mono_now() < until)
                co_await changed_.wait_until(until);
            co_return at_ == at::ended ? input_stop::ended : input_stop::unread;
        }
        if (base::mono_now() >= by)
            co_return input_stop::timed_out;
        co_await wait_for_room(by);
    }
    co_return input_stop::none;
}

// Goes on when there is room, at the deadline, or when it is closed; and now and then, for not
// every kind of file tells of room that comes later.
aio::awaitable<> job_input::wait_for_room(time_point deadline)
{
    using std::chrono::milliseconds;
    const auto left = std::chrono::ceil<milliseconds>(deadline - base::mono_now());
    const auto room = [](auto& pipe) -> aio::awaitable<base::result<bool>> {
        boost::system::error_code woken;
        co_await pipe.async_wait(asio::posix::descriptor_base::wait_write,
            asio::redirect_error(asio::use_awaitable, woken));
        co_return !woken;
    };
    auto waiting = room(pipe_);
    const auto there = co_await aio::with_deadline(
        std::move(waiting), std::min<milliseconds>(left, limits::input_recheck));
    if (!there) // the deadline's: the caller looks at the clock itself
        co_await aio::rethrow_if_cancelled();
}

void input_table::add(const base::job_id& id, std::shared_ptr<job_input> what)
{
    const std::lock_guard guard{lock_};
    all_.emplace(id, std::move(what));
}

void input_table::remove(const base::job_id& id)
{
    const std::lock_guard guard{lock_};
    all_.erase(id);
}

std::shared_ptr<job_input> input_table::find(const base::job_id& id) const
{
    const std::lock_guard guard{lock_};
    const auto found = all_.find(id);
    return found == all_.end() ? nullptr : found->second;
}

} // namespace agentd::jobs
