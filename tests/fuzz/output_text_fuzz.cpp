// Bytes that a command wrote, on their way to the model: always text, never longer than asked,
// and never able to end the element that quotes them.
#include "base/limits.hpp"
#include "base/text.hpp"
#include "session/background_results.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tools/output_text.hpp"

#include <algorithm>
#include <string>

namespace {

using namespace agentd;
using fuzz::must;

bool is_shown(std::string_view text)
{
    return base::is_utf8(text) && text.find('\x1b') == std::string_view::npos &&
        text.find('\0') == std::string_view::npos;
}

void check_cuts(std::string_view bytes)
{
    for (const std::size_t chars : {0U, 1U, 7U, 100U}) {
        const auto head = tools::prefix_bytes(bytes, chars);
        const auto tail = tools::suffix_bytes(bytes, chars);
        must(head <= std::min(bytes.size(), 4 * chars), "a head is in its bounds");
        must(tail <= std::min(bytes.size(), 4 * chars), "a tail is in its bounds");
        must(base::count_chars(base::one_line(bytes, chars)) <= 6 * chars + 3, "a line is short");
    }
    must(tools::unfinished_bytes(bytes) <= std::min<std::size_t>(3, bytes.size()), "unfinished");
    must(tools::stray_bytes(bytes) <= std::min<std::size_t>(3, bytes.size()), "stray");
    const auto text = tools::valid_text(bytes);
    must(base::is_utf8(text) && text.size() <= 3 * bytes.size(), "valid text is valid");
    must(!base::is_utf8(bytes) || bytes.find('\0') != std::string_view::npos || text == bytes,
        "what is valid stays as it is");
    const auto shown = base::printable(bytes);
    must(is_shown(shown) && shown.size() <= 3 * bytes.size(), "what is printable can be shown");
}

void check_shortened(std::string_view head, std::string_view tail)
{
    for (const std::size_t chars : {100U, 1000U}) {
        const auto all = tools::shortened(head, 0, tail, chars);
        must(is_shown(all) && base::count_chars(all) <= chars, "a short text is short");
        const auto some = tools::shortened(head, 12345, tail, chars);
        must(is_shown(some) && base::count_chars(some) <= chars, "so is one with a gap");
        must(some.find("bytes left out]") != std::string::npos, "a gap is said");
    }
}

std::size_t count(std::string_view text, std::string_view what)
{
    std::size_t found = 0;
    for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1))
        ++found;
    return found;
}

// Lines as the model may see them: CR, VT, FF, NEL and U+2028/9 end them, too.
std::size_t lines_that_begin_an_entry(std::string_view element)
{
    std::size_t entries = 0;
    for (const std::string_view end :
        {"\n", "\r", "\v", "\f", "\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"})
        entries += count(element, std::string{end} + "[bg:");
    return entries;
}

void check_element(std::string_view command, std::string_view reason, std::string_view output)
{
    session::job_news one;
    one.job.id = base::job_id{"1f3a9c02"};
    one.job.state = proto::api::job_state::lost;
    one.job.command = command;
    one.job.reason = reason;
    one.job.output_bytes = output.size();
    one.head = output;
    session::job_news other = one;
    other.job.state = proto::api::job_state::completed;
    other.head = output.substr(0, output.size() / 2);
    other.tail = output.substr(output.size() / 2);
    other.job.output_bytes = output.size() + 1000;
    const session::job_news both[] = {one, other};
    const auto element = session::background_results(both);
    must(is_shown(element), "an element can be shown");
    must(base::count_chars(element) <= limits::notice_element_chars, "an element is bounded");
    must(count(element, "\n<background-results") == 0 &&
            count(element, "\n</background-results") == 1,
        "an element ends once");
    must(lines_that_begin_an_entry(element) == 2, "an element has as many entries as jobs");
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto bytes = fuzz::as_text(data, size);
    check_cuts(bytes);
    check_shortened(bytes.substr(0, size / 3), bytes.substr(size / 3));
    const auto parts = fuzz::in_parts(bytes, 3);
    check_element(parts[0], parts[1], parts[2]);
    return 0;
}
