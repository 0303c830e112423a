#include "jobs/spool.hpp"

#include "jobs/spool_read.hpp"
#include "jobs/spool_state.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace agentd::jobs {
namespace {

// Counts itself as a follower as long as it lives.
class following {
public:
    explicit following(live_log& what) : what_(what) { ++what_.followers; }
    ~following() { --what_.followers; }
    following(const following&) = delete;
    following& operator=(const following&) = delete;

private:
    live_log& what_;
};

// On the spool's strand. nullopt: it is not live.
aio::awaitable<std::optional<spool::progress>> follow(
    std::shared_ptr<spool::state> in, base::job_id id, std::uint64_t known)
{
    const auto at = in->live.find(id);
    if (at == in->live.end())
        co_return std::nullopt;
    const auto live = at->second;
    const following counted{*live};
    while (live->size <= known && !live->ended) {
        boost::system::error_code woken;
        co_await live->more.async_wait(
            boost::asio::redirect_error(boost::asio::use_awaitable, woken));
        co_await aio::rethrow_if_cancelled();
    }
    const bool ended = live->ended; // before the size: what came last is counted
    co_return spool::progress{live->size, ended};
}

// How much output there is by now: of a live job more than its files may say, when the disk
// refuses. On the spool's strand.
aio::awaitable<std::uint64_t> size_by_now(
    std::shared_ptr<spool::state> in, base::job_id id, std::uint64_t total)
{
    const auto at = in->live.find(id);
    co_return at == in->live.end() ? total : std::max(total, at->second->size.load());
}

} // namespace

spool::spool(const aio::executor& io, spool_options options)
    : state_(std::make_shared<state>(io, std::move(options), reading_, writing_))
{}

spool::~spool() = default;

base::result<> spool::open()
{
    return state_->folder.open();
}

template <class Look>
aio::awaitable<base::result<piece>> spool::look_at(base::job_id id, std::uint64_t total, Look look)
{
    auto looking = size_by_now(state_, id, total);
    const auto size = co_await aio::on(state_->strand, std::move(looking));
    auto work = [in = state_, id = std::move(id), size, look = std::move(look)] {
        return look(in->folder, id, size);
    };
    co_return co_await state_->reading.run(std::move(work));
}

aio::awaitable<base::result<piece>> spool::read(
    base::job_id id, std::uint64_t offset, std::size_t limit, std::uint64_t total)
{
    return look_at(std::move(id), total,
        [offset, limit](const spool_folder& in, const base::job_id& of, std::uint64_t size) {
            return read_piece(in, of, offset, limit, size);
        });
}

aio::awaitable<base::result<piece>> spool::read_timed(
    base::job_id id, std::uint64_t offset, std::size_t limit, std::uint64_t total)
{
    return look_at(std::move(id), total,
        [offset, limit](const spool_folder& in, const base::job_id& of, std::uint64_t size) {
            auto got = read_piece(in, of, offset, limit, size);
            if (got)
                add_times(in, of, *got);
            return got;
        });
}

aio::awaitable<base::result<piece>> spool::read_tail(
    base::job_id id, std::size_t limit, std::uint64_t total)
{
    return look_at(std::move(id), total,
        [limit](const spool_folder& in, const base::job_id& of, std::uint64_t size) {
            return read_last(in, of, limit, size);
        });
}

aio::awaitable<base::result<piece>> spool::read_lines(
    base::job_id id, std::size_t lines, std::size_t limit, std::uint64_t total)
{
    return look_at(std::move(id), total,
        [lines, limit](const spool_folder& in, const base::job_id& of, std::uint64_t size) {
            auto last = read_last(in, of, limit, size);
            if (last)
                keep_last_lines(*last, lines);
            return last;
        });
}

aio::awaitable<spool::progress> spool::wait_for_more(base::job_id id, std::uint64_t known)
{
    auto waiting = follow(state_, id, known);
    const auto seen = co_await aio::on(state_->strand, std::move(waiting));
    if (seen)
        co_return *seen;
    const auto all = co_await measure(std::move(id));
    co_return progress{all.size, true};
}

aio::awaitable<spool::extent> spool::measure(base::job_id id)
{
    auto work = [in = state_, id = std::move(id)] {
        const auto files = in->folder.list(id);
        extent all;
        all.size = files.empty() ? 0 : files.back().end();
        all.gap = missing_in(files, all.size);
        all.output = read_excerpt(in->folder, id);
        return all;
    };
    co_return co_await state_->reading.run(std::move(work));
}

aio::awaitable<> spool::settle()
{
    auto work = [in = state_] {
        in->folder.settle();
        return 0;
    };
    co_await state_->reading.run(std::move(work));
}

bool spool::bounds_sessions() const
{
    return state_->with.session_bytes != 0;
}

aio::awaitable<> spool::claim(base::session_id by, std::vector<base::job_id> ids)
{
    auto work = [in = state_, by = std::move(by), ids = std::move(ids)] {
        in->folder.claim(by, ids);
        return 0;
    };
    co_await state_->writing.run(std::move(work));
}

aio::awaitable<> spool::remove(base::job_id id)
{
    auto work = [in = state_, id = std::move(id)] {
        in->folder.remove(id);
        return 0;
    };
    co_await state_->reading.run(std::move(work));
}

std::uint64_t spool::bytes_used() const
{
    return state_->folder.used();
}

} // namespace agentd::jobs
