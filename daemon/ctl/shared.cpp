// What the chapters of commands.hpp share: lists page by page, texts from files, verdicts.
#include "base/import_limits.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "ctl/commands.hpp"
#include "ctl/format.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace agentd::ctl {
namespace {

base::result<std::string> read_bounded(int fd, const std::string& name, std::size_t most)
{
    std::string text;
    for (;;) {
        const auto had = text.size();
        text.resize(had + (64U << 10));
        const auto got = ::read(fd, text.data() + had, text.size() - had);
        if (got < 0 && errno != EINTR)
            return std::unexpected(
                base::error{errc::usage, base::system_error("read " + name, errno).text});
        text.resize(had + static_cast<std::size_t>(got > 0 ? got : 0));
        if (got == 0)
            return text;
        if (text.size() > most)
            return std::unexpected(
                base::error{errc::usage, fmt::format("{} is larger than {} bytes", name, most)});
    }
}

base::result<std::string> read_file(const std::string& path, std::size_t most)
{
    const base::unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file)
        return std::unexpected(
            base::error{errc::usage, base::system_error("open " + path, errno).text});
    return read_bounded(file.get(), path, most);
}

} // namespace

base::result<std::string> text_argument(const std::string& given)
{
    if (given == "-")
        return read_bounded(STDIN_FILENO, "stdin", limits::prompt_bytes);
    if (given.starts_with("@@"))
        return given.substr(1);
    if (!given.starts_with('@'))
        return given;
    return read_file(given.substr(1), limits::prompt_bytes);
}

base::result<std::string> file_argument(const std::string& path)
{
    if (path == "-")
        return read_bounded(STDIN_FILENO, "stdin", limits::import_bytes);
    return read_file(path, limits::import_bytes);
}

done each_item(client& daemon, std::string path, query filter, std::int64_t limit,
    std::function<base::result<>(const proto::json::value&)> take)
{
    std::int64_t seen = 0;
    constexpr std::int64_t page_items = limits::list_items;
    std::string after;
    for (;;) {
        query q = filter;
        const auto left = limit == 0 ? page_items : limit - seen;
        q.add("limit", fmt::format("{}", std::min(left, page_items)));
        if (!after.empty())
            q.add("after", after);
        http_request ask;
        ask.target = path + q.text();
        auto page = co_await daemon.ask(std::move(ask));
        if (!page)
            co_return std::unexpected(std::move(page).error());
        const auto* items = page->root().find("items");
        if (items == nullptr)
            co_return std::unexpected(
                base::error{errc::daemon_error, "the daemon's answer is no list"});
        for (const auto& item : items->items()) {
            if (auto taken = take(item); !taken)
                co_return taken;
            ++seen;
        }
        const auto* next = page->root().find("next");
        if (next == nullptr || next->is(proto::json::kind::null) || items->items().empty() ||
            (limit != 0 && seen >= limit))
            co_return base::result<>{};
        after = plain_text(*next);
    }
}

base::result<> outcome_of(const proto::api::task& ended)
{
    using proto::api::task_state;
    const auto& id = ended.id.str();
    if (ended.state == task_state::cancelled)
        return std::unexpected(
            base::error{errc::task_cancelled, fmt::format("task {} was cancelled", id)});
    if (ended.state != task_state::failed)
        return {};
    if (!ended.error)
        return std::unexpected(base::error{errc::task_failed, fmt::format("task {} failed", id)});
    return std::unexpected(base::error{errc::task_failed,
        fmt::format("task {} failed: {}: {}", id, ended.error->type, ended.error->message)});
}

void print_object(console& term, const proto::json::value& object)
{
    std::vector<std::pair<std::string, std::string>> lines;
    std::function<void(const proto::json::value&, const std::string&)> collect;
    collect = [&lines, &collect](const proto::json::value& from, const std::string& prefix) {
        for (const auto& [name, value] : from.members()) {
            if (value.is(proto::json::kind::object))
                collect(value, prefix + name + ".");
            else if (!value.is(proto::json::kind::null))
                lines.emplace_back(prefix + name, plain_text(value));
        }
    };
    collect(object, "");
    std::size_t width = 0;
    for (const auto& [name, value] : lines)
        width = std::max(width, base::count_chars(name));
    for (const auto& [name, value] : lines) {
        const bool block = value.find('\n') != std::string::npos;
        std::string shown = value;
        if (block) { // a text of several lines stands below its name
            shown = "\n" + value;
            for (std::size_t at = 0; (at = shown.find('\n', at)) != std::string::npos; at += 3)
                shown.insert(at + 1, "  ");
        }
        term.styled(term.paint(colour::faint, name) +
            std::string(width - base::count_chars(name) + 2, ' ') +
            term.paint(colour_of(value), shown));
    }
}

} // namespace agentd::ctl
