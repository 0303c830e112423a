#include "tools/edit_file.hpp"

#include "aio/blocking_pool.hpp"
#include "base/limits.hpp"
#include "tools/error.hpp"
#include "tools/input.hpp"
#include "tools/replacement.hpp"
#include "tools/workspace.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

namespace agentd::tools {
namespace {

constexpr std::size_t piece_bytes = 256U << 10;

struct change {
    std::string path;
    std::string old_text;
    std::string new_text;
};

// At most piece_bytes at `offset`; fewer at the end of the file alone.
base::result<std::string> read_piece(const open_file& from, std::uint64_t offset)
{
    std::string piece(piece_bytes, '\0');
    std::size_t filled = 0;
    while (filled < piece.size()) {
        const auto got = ::pread(from.fd.get(), piece.data() + filled, piece.size() - filled,
            static_cast<off_t>(offset + filled));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return std::unexpected(base::system_error("read the file", errno));
        if (got == 0)
            break;
        filled += static_cast<std::size_t>(got);
    }
    piece.resize(filled);
    return piece;
}

// Where `text` first occurs; pieces overlap by what could hold its beginning.
base::result<std::optional<std::uint64_t>> search(const open_file& in, const std::string& text)
{
    std::string window;
    std::uint64_t window_start = 0;
    for (std::uint64_t offset = 0;;) {
        const auto piece = read_piece(in, offset);
        if (!piece)
            return std::unexpected(piece.error());
        window += *piece;
        offset += piece->size();
        if (const auto found = window.find(text); found != std::string::npos)
            return window_start + found;
        if (piece->empty())
            return std::nullopt;
        const auto keep = std::min(window.size(), text.size() - 1);
        window_start += window.size() - keep;
        window.erase(0, window.size() - keep);
    }
}

// Copies [from, to) of the old file.
base::result<> copy(const open_file& in, std::uint64_t from, std::uint64_t to, replacement& out)
{
    while (from < to) {
        auto piece = read_piece(in, from);
        if (!piece)
            return std::unexpected(std::move(piece.error()));
        if (piece->empty())
            return {}; // it has become shorter
        piece->resize(std::min<std::uint64_t>(piece->size(), to - from));
        if (auto written = out.write(*piece); !written)
            return written;
        from += piece->size();
    }
    return {};
}

base::result<> edit(const workspace& files, const change& what)
{
    const auto where = files.find_target(what.path, missing_folders::refuse);
    if (!where)
        return std::unexpected(where.error());
    const auto old = files.open_old(*where);
    if (!old)
        return std::unexpected(old.error());
    if (old->size > limits::file_bytes)
        return std::unexpected(base::error{errc::too_large,
            fmt::format("cannot edit {}: it has more than {} bytes; change it with a command",
                what.path, limits::file_bytes)});
    const auto found = search(*old, what.old_text);
    if (!found)
        return std::unexpected(found.error());
    if (!*found)
        return std::unexpected(base::error{errc::text_not_found, "Text not found in " + what.path});
    auto fresh = replacement::begin(*where);
    if (!fresh)
        return std::unexpected(fresh.error());
    if (auto head = copy(*old, 0, **found, *fresh); !head)
        return head;
    if (auto middle = fresh->write(what.new_text); !middle)
        return middle;
    // To the end of the file, also of one that has grown a little meanwhile.
    const std::uint64_t rest = **found + what.old_text.size();
    if (auto tail = copy(*old, rest, rest + limits::file_bytes, *fresh); !tail)
        return tail;
    return fresh->commit();
}

base::result<change> read_change(std::string_view json)
{
    const auto input = read_input(json, {"path", "old_text", "new_text"});
    if (!input)
        return std::unexpected(input.error());
    auto path = read_path(*input);
    if (!path)
        return std::unexpected(std::move(path.error()));
    auto old_text = input->string("old_text");
    if (!old_text)
        return std::unexpected(std::move(old_text.error()));
    if (old_text->empty())
        return std::unexpected(input->refuse("old_text", "must not be empty"));
    auto new_text = input->string("new_text");
    if (!new_text)
        return std::unexpected(std::move(new_text.error()));
    return change{std::move(*path), std::move(*old_text), std::move(*new_text)};
}

} // namespace

std::string_view edit_file::definition() const
{
    return R"json({"name":"edit_file","description":"Replace the first exact occurrence of old_text in a file of the workspace by new_text. Take enough lines around the place that old_text occurs once.","input_schema":{"type":"object","properties":{"path":{"type":"string","description":"Relative to the workspace, or absolute inside it."},"old_text":{"type":"string","minLength":1,"description":"The text to replace, exactly as it stands in the file."},"new_text":{"type":"string","description":"What takes its place; may be empty."}},"required":["path","old_text","new_text"],"additionalProperties":false}})json";
}

aio::awaitable<answer> edit_file::run(call what, context& with) const
{
    const auto wanted = read_change(what.input);
    if (!wanted)
        co_return failed(wanted.error().text);
    auto work = [&files = with.files, &how = *wanted] { return edit(files, how); };
    const auto done = co_await with.blocking.run(std::move(work));
    if (!done)
        co_return failed(done.error().text);
    co_return ok("Edited " + wanted->path);
}

} // namespace agentd::tools
