// A command as the policy sees it, with patterns of the input's own: the work is linear in the
// text, and a command that is refused is refused whatever stands behind it.
#include "tests/fuzz/fuzz.hpp"
#include "tools/policy.hpp"
#include "tools/shell_words.hpp"

#include <string>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace agentd;
    const auto parts = fuzz::in_parts(fuzz::as_text(data, size), 2);
    const auto command = parts[1];
    std::size_t bytes = 0;
    std::size_t words = 0;
    for (const auto& each : tools::simple_commands(command)) {
        for (const auto& word : each.words)
            bytes += word.size();
        for (const auto& target : each.writes_to)
            bytes += target.size();
        words += each.words.size() + each.writes_to.size();
    }
    constexpr std::size_t growth = 4; // a substitution leaves "$()" in its word
    fuzz::must(bytes <= growth * command.size(), "words are not larger than the text");
    fuzz::must(words <= command.size(), "words do not come of nothing");
    static const tools::policy usual;
    static_cast<void>(usual.allows(command));
    const std::string patterns[] = {std::string{parts[0]}};
    if (const auto own = tools::policy::from(patterns))
        static_cast<void>(own->allows(command));
    else
        fuzz::must(!own.error().text.empty(), "a pattern that means nothing is said");
    return 0;
}
