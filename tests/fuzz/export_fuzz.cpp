// The lines of an import: what was read is written in one way only, and whatever comes, the
// check of the whole goes on or says why not.
#include "proto/api/export_check.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace agentd;
    namespace api = proto::api;
    auto bytes = fuzz::as_text(data, size);
    api::export_check check;
    while (!bytes.empty()) {
        const auto line = bytes.substr(0, bytes.find('\n'));
        bytes.remove_prefix(std::min(line.size() + 1, bytes.size()));
        const auto record = api::read_export_line(line);
        if (!record)
            return 0;
        const auto text = api::export_line(*record);
        fuzz::must(text.find('\n') == text.size() - 1, "a record is one line");
        const auto again = api::read_export_line(text);
        fuzz::must(again.has_value(), "what was written can be read");
        fuzz::must(api::export_line(*again) == text, "and is the same");
        if (!check.add(*record))
            return 0;
    }
    static_cast<void>(check.finish());
    return 0;
}
