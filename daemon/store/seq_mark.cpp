#include "store/seq_mark.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>

namespace agentd::store {
namespace {

// Twice the same, so that what a power loss left of it is not believed.
constexpr std::size_t digits = 20;
constexpr std::size_t size = 2 * (digits + 1);

std::string text_of(base::event_seq newest)
{
    return fmt::format("{0:020} {0:020}\n", newest);
}

base::event_seq read_from(int file)
{
    std::array<char, size + 1> bytes{};
    const auto count = ::pread(file, bytes.data(), bytes.size(), 0);
    if (count != static_cast<ssize_t>(size))
        return 0;
    base::event_seq newest = 0;
    const std::string_view text{bytes.data(), size};
    const auto [end, failed] = std::from_chars(text.data(), text.data() + digits, newest);
    return failed == std::errc{} && text == text_of(newest) ? newest : 0;
}

} // namespace

seq_mark::seq_mark(const std::string& file)
    : file_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600))
{
    if (file_)
        found_ = read_from(file_.get());
}

base::event_seq newest_given(const std::string& file)
{
    const base::unique_fd at{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    return at ? read_from(at.get()) : 0;
}

void seq_mark::set(base::event_seq newest)
{
    const auto text = text_of(newest);
    if (file_)
        static_cast<void>(::pwrite(file_.get(), text.data(), text.size(), 0));
}

} // namespace agentd::store
