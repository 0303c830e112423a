// The objects of the local API as agentctl reads them: what was read is written in one way only.
#include "proto/api/json.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>

namespace {

using namespace agentd;
namespace api = proto::api;

template <class Read>
void round_trip(std::string_view bytes, Read read)
{
    const auto first = read(bytes);
    if (!first)
        return;
    const auto text = api::to_json(*first);
    const auto second = read(text);
    fuzz::must(second.has_value(), "what was written can be read");
    fuzz::must(api::to_json(*second) == text, "and is the same");
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto bytes = fuzz::as_text(data, size);
    round_trip(bytes, api::read_task);
    round_trip(bytes, api::read_session);
    round_trip(bytes, api::read_job);
    round_trip(bytes, api::read_problem);
    static_cast<void>(api::read_event(bytes)); // keeps all of it as its body
    static_cast<void>(api::read_task_page(bytes));
    static_cast<void>(api::read_session_page(bytes));
    static_cast<void>(api::read_job_page(bytes));
    static_cast<void>(api::read_message_page(bytes));
    return 0;
}
