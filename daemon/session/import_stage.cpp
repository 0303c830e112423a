#include "session/import_stage.hpp"

#include "base/import_limits.hpp"
#include "proto/api/parse.hpp"
#include "session/service.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace agentd::session {
namespace {

base::error cannot_keep(int number)
{
    const bool full = number == ENOSPC || number == EDQUOT;
    return {full ? errc::storage_full : errc::storage_failed,
        base::system_error("keep the lines of the import", number).text};
}

// `field "NAME": REASON` says the line, too: `field "NAME": line 3: REASON`.
base::error at_line(std::size_t line, base::error why)
{
    const auto name = proto::api::field_named_in(why.text);
    const auto place = fmt::format("line {}: ", line);
    if (name.empty())
        return {why.code, place + why.text};
    const auto reason = why.text.find(": ") + 2;
    why.text.insert(reason, place);
    return why;
}

} // namespace

base::result<import_stage> import_stage::make(const std::string& folder)
{
    base::unique_fd file{::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
    if (!file && (errno == EOPNOTSUPP || errno == EISDIR)) { // a file system without such files
        std::string name = folder + "/.import-XXXXXX";
        file.reset(::mkostemp(name.data(), O_CLOEXEC));
        if (file)
            ::unlink(name.c_str());
    }
    if (!file)
        return std::unexpected(cannot_keep(errno));
    return import_stage{std::move(file)};
}

base::result<> import_stage::keep(std::string_view bytes) const
{
    while (!bytes.empty()) {
        const auto n = ::write(file_.get(), bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return std::unexpected(cannot_keep(errno));
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

base::result<> import_stage::check(std::string_view line)
{
    ++line_;
    const auto record = proto::api::read_export_line(line);
    if (!record)
        return std::unexpected(at_line(line_, record.error()));
    if (auto fits = check_.add(*record); !fits)
        return std::unexpected(at_line(line_, std::move(fits.error())));
    return {};
}

base::result<> import_stage::take(std::string_view bytes)
{
    if (auto kept = keep(bytes); !kept)
        return kept;
    while (!bytes.empty()) {
        const auto end = bytes.find('\n');
        begun_ += bytes.substr(0, end);
        if (begun_.size() > limits::import_line_bytes)
            return std::unexpected(base::error{proto::api::errc::too_large,
                fmt::format(
                    "line {} is longer than {} bytes", line_ + 1, limits::import_line_bytes)});
        if (end == std::string_view::npos)
            return {};
        bytes.remove_prefix(end + 1);
        if (auto right = check(begun_); !right)
            return right;
        begun_.clear();
    }
    return {};
}

base::result<> import_stage::finish()
{
    if (!begun_.empty()) { // the last line needs no end
        auto right = check(begun_);
        if (right)
            right = keep("\n");
        if (!right)
            return right;
        begun_.clear();
    }
    auto whole = check_.finish();
    if (!whole)
        return std::unexpected(at_line(line_ + 1, std::move(whole.error())));
    return {};
}

base::result<> import_stage::each(
    const std::function<void(const proto::api::export_record&)>& to) const
{
    std::string lines;
    off_t at = 0;
    for (;;) {
        const auto had = lines.size();
        lines.resize(had + limits::import_piece_bytes);
        const auto n = ::pread(file_.get(), lines.data() + had, limits::import_piece_bytes, at);
        if (n < 0 && errno != EINTR)
            return std::unexpected(cannot_keep(errno));
        lines.resize(had + static_cast<std::size_t>(n > 0 ? n : 0));
        if (n == 0)
            return {};
        at += n > 0 ? n : 0;
        std::size_t begin = 0;
        for (auto end = lines.find('\n', had); end != std::string::npos;
            begin = end + 1, end = lines.find('\n', begin)) {
            const auto record =
                proto::api::read_export_line(std::string_view{lines}.substr(begin, end - begin));
            if (!record)
                return std::unexpected(record.error());
            to(*record);
        }
        lines.erase(0, begin);
    }
}

} // namespace agentd::session
