#include "jobs/spool_log.hpp"

#include "base/limits.hpp"
#include "jobs/spool_state.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace agentd::jobs {
namespace {

// Times within a chunk that waits for the disk; with more they are not told apart.
constexpr std::size_t arrivals_of_chunk = 256;

} // namespace

spool_log::spool_log(
    const aio::executor& strand, spool& where, base::job_id id, base::session_id session)
    : spool_(where.state_),
      id_(std::move(id)),
      live_(std::make_shared<live_log>(spool_->strand)),
      most_chunks_(std::max<std::size_t>(spool_->with.buffer_bytes / limits::output_chunk, 1)),
      preview_(limits::preview_head_bytes, limits::preview_tail_bytes),
      files_(spool_->folder, id_, spool_->with.job_bytes, std::move(session)),
      work_(strand),
      room_(strand)
{
    boost::asio::post(spool_->strand,
        [spool = spool_, name = id_, live = live_] { spool->live.emplace(name, live); });
}

spool_log::~spool_log()
{
    end();
}

void spool_log::end()
{
    if (live_->ended.exchange(true))
        return;
    boost::asio::post(spool_->strand, [spool = spool_, name = id_, live = live_] {
        spool->live.erase(name);
        live->more.cancel();
    });
}

std::span<char> spool_log::room()
{
    if (pending_.empty() || pending_.back().used == limits::output_chunk) {
        if (pending_.size() + writing_ >= most_chunks_)
            return {};
        pending_.push_back({std::make_unique_for_overwrite<char[]>(limits::output_chunk), 0, {}});
    }
    auto& last = pending_.back();
    return {last.bytes.get() + last.used, limits::output_chunk - last.used};
}

void spool_log::commit(std::size_t bytes)
{
    auto& last = pending_.back();
    preview_.append({last.bytes.get() + last.used, bytes});
    const auto now = base::wall_now();
    const bool news = last.arrivals.empty() || last.arrivals.back().when != now;
    if (news && last.arrivals.size() < arrivals_of_chunk)
        last.arrivals.push_back({last.used, now});
    last.used += bytes;
    work_.ring();
}

aio::awaitable<> spool_log::wait_for_room()
{
    co_await room_.wait_until();
}

void spool_log::finish()
{
    finished_ = true;
    work_.ring();
}

aio::awaitable<> spool_log::write()
{
    for (;;) {
        if (!pending_.empty() && pending_.front().used > 0)
            co_await write_pending();
        else if (finished_)
            break;
        else
            co_await work_.wait_until();
    }
    auto close = [this] {
        files_.finish();
        return 0;
    };
    live_->size = files_.total();
    if (files_.total() > 0)
        co_await spool_->writing.run(close);
    end();
}

aio::awaitable<> spool_log::write_pending()
{
    auto chunks = std::exchange(pending_, {});
    writing_ = chunks.size();
    auto write = [this, &chunks] {
        for (const auto& one : chunks)
            append(files_, one);
        return 0;
    };
    co_await spool_->writing.run(write);
    writing_ = 0;
    room_.ring();
    publish();
    spool_->trouble.note(id_, files_.refusal());
}

void spool_log::append(spool_files& to, const chunk& what)
{
    for (std::size_t i = 0; i < what.arrivals.size(); ++i) {
        const auto begin = what.arrivals[i].begin;
        const auto end = i + 1 < what.arrivals.size() ? what.arrivals[i + 1].begin : what.used;
        to.append({what.bytes.get() + begin, end - begin}, what.arrivals[i].when);
    }
}

void spool_log::publish()
{
    live_->size = files_.total();
    if (live_->followers.load() == 0)
        return;
    boost::asio::post(spool_->strand, [live = live_] { live->more.cancel(); });
}

} // namespace agentd::jobs
