#include "tools/read_file.hpp"

#include "aio/blocking_pool.hpp"
#include "base/limits.hpp"
#include "tools/file_head.hpp"
#include "tools/input.hpp"
#include "tools/workspace.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace agentd::tools {
namespace {

constexpr std::size_t block_bytes = 64U << 10;
// A thread of the pool is kept no longer than this takes: others come in turn, and a
// cancelled call ends here.
constexpr std::uint64_t step_bytes = 8U << 20;

// One reading, handed from step to step.
struct reading {
    reading(open_file f, file_head h) : file(std::move(f)), head(std::move(h)) {}
    open_file file;
    file_head head;
    std::uint64_t offset = 0;
    bool ended = false;
};

// Reads on. What grows while it is read is read to the size it was opened with (a file whose
// size is not known, as those of /proc, to a bound).
base::result<> read_on(reading& at, const std::string& path)
{
    std::vector<char> piece(block_bytes);
    const std::uint64_t bound = at.file.size == 0 ? limits::file_bytes : at.file.size;
    const std::uint64_t stop = std::min(bound, at.offset + step_bytes);
    while (at.offset < stop && !at.head.has_all()) {
        const auto wanted = std::min<std::uint64_t>(piece.size(), stop - at.offset);
        const auto got =
            ::pread(at.file.fd.get(), piece.data(), wanted, static_cast<off_t>(at.offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return std::unexpected(base::system_error("read " + path, errno));
        if (got == 0)
            break;
        at.head.feed({piece.data(), static_cast<std::size_t>(got)});
        at.offset += static_cast<std::uint64_t>(got);
    }
    at.ended = at.offset < stop || at.offset == bound || at.head.has_all();
    return {};
}

} // namespace

std::string_view read_file::definition() const
{
    return R"json({"name":"read_file","description":"Read a text file of the workspace. At most 50000 characters are shown; what is beyond them, or beyond limit, is counted in the last line.","input_schema":{"type":"object","properties":{"path":{"type":"string","description":"Relative to the workspace, or absolute inside it."},"limit":{"type":"integer","minimum":1,"description":"Show only so many lines; a last line ... (N more) says how many are left."}},"required":["path"],"additionalProperties":false}})json";
}

aio::awaitable<answer> read_file::run(call what, context& with) const
{
    const auto input = read_input(what.input, {"path", "limit"});
    if (!input)
        co_return failed(input.error().text);
    const auto path = read_path(*input);
    if (!path)
        co_return failed(path.error().text);
    const auto limit =
        input->optional_integer("limit", 1, std::numeric_limits<std::int64_t>::max());
    if (!limit)
        co_return failed(limit.error().text);
    std::optional<std::uint64_t> lines;
    if (*limit)
        lines = static_cast<std::uint64_t>(**limit);

    auto opening = [&files = with.files, &name = *path] { return files.open_to_read(name); };
    auto file = co_await with.blocking.run(std::move(opening));
    if (!file)
        co_return failed(file.error().text);
    reading state{std::move(*file), file_head{lines, limits::tool_output_chars}};
    while (!state.ended) {
        auto step = [&state, &name = *path] { return read_on(state, name); };
        const auto done = co_await with.blocking.run(std::move(step));
        if (!done)
            co_return failed(done.error().text);
    }
    co_return ok(state.head.text(std::max(state.file.size, state.offset)));
}

} // namespace agentd::tools
