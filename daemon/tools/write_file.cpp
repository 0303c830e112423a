#include "tools/write_file.hpp"

#include "aio/blocking_pool.hpp"
#include "tools/input.hpp"
#include "tools/replacement.hpp"
#include "tools/workspace.hpp"

#include <fmt/format.h>

#include <utility>

namespace agentd::tools {
namespace {

base::result<> write(const workspace& files, const std::string& path, const std::string& content)
{
    const auto where = files.find_target(path, missing_folders::make);
    if (!where)
        return std::unexpected(where.error());
    auto fresh = replacement::begin(*where);
    if (!fresh)
        return std::unexpected(fresh.error());
    if (auto written = fresh->write(content); !written)
        return written;
    return fresh->commit();
}

} // namespace

std::string_view write_file::definition() const
{
    return R"json({"name":"write_file","description":"Write a file of the workspace: makes it, with its parent folders, or replaces all of it in one step. To change a part of a file use edit_file.","input_schema":{"type":"object","properties":{"path":{"type":"string","description":"Relative to the workspace, or absolute inside it."},"content":{"type":"string","description":"The whole new content."}},"required":["path","content"],"additionalProperties":false}})json";
}

aio::awaitable<answer> write_file::run(call what, context& with) const
{
    const auto input = read_input(what.input, {"path", "content"});
    if (!input)
        co_return failed(input.error().text);
    const auto path = read_path(*input);
    if (!path)
        co_return failed(path.error().text);
    const auto content = input->string("content");
    if (!content)
        co_return failed(content.error().text);
    auto work = [&files = with.files, &name = *path, &text = *content] {
        return write(files, name, text);
    };
    const auto done = co_await with.blocking.run(std::move(work));
    if (!done)
        co_return failed(done.error().text);
    co_return ok(fmt::format("Wrote {} bytes", content->size()));
}

} // namespace agentd::tools
