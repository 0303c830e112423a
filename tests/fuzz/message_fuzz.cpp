// Bodies that are read as a whole: a message of a gateway that ignored `stream`, and the body of
// an error, which may be anything.
#include "base/text.hpp"
#include "proto/messages/decode.hpp"
#include "proto/messages/encode.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/reply_check.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace agentd;
    const auto bytes = fuzz::as_text(data, size);
    const auto message = proto::messages::decode_message(bytes);
    if (message)
        fuzz::check_reply(*message, size);
    else
        fuzz::must(message.error().is(proto::messages::errc::bad_reply), "it is a bad reply");
    const auto error = proto::messages::decode_error(bytes);
    for (const auto& text : {error.type, error.message, error.code, error.request_id})
        fuzz::must(base::is_utf8(text) && text.size() <= 3 * size, "what an error says is text");
    return 0;
}
