// The configuration file: a mistake is said with file and line, and what was read, written down
// as --check-config shows it, is a file that means the same.
#include "app/config.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace agentd;
    const auto read = app::parse_config(fuzz::as_text(data, size), "f.toml");
    if (!read) {
        fuzz::must(read.error().is(app::errc::bad_config), "a mistake is one of configuration");
        fuzz::must(read.error().text.starts_with("f.toml:"), "a mistake names the file");
        return 0;
    }
    const auto lines = app::describe(*read);
    std::string file;
    for (const auto& [key, value] : lines)
        file.append(key).append(" = ").append(value) += '\n';
    const auto again = app::parse_config(file, "shown.toml");
    fuzz::must(again.has_value(), "what is shown is a configuration");
    fuzz::must(app::describe(*again) == lines, "and means the same");
    return 0;
}
