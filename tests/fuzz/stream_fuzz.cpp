// A whole stream: bytes to events to a reply. Whatever comes, there is an end that is said, the
// same wherever the bytes are cut; and a reply can be echoed.
#include "proto/messages/accumulator.hpp"
#include "proto/sse/parser.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/reply_check.hpp"

#include <fmt/format.h>

#include <optional>

namespace {

using namespace agentd;
namespace messages = proto::messages;

struct outcome {
    std::optional<messages::reply> reply;
    std::string story; // all else that was told, in order
};

// False: the stream is at its end.
bool take(outcome& into, messages::accumulator& sum, const proto::sse::event& event)
{
    auto decoded = messages::decode(event.name, event.data);
    if (!decoded) {
        into.story += "undecodable: " + decoded.error().text;
        return false;
    }
    const auto step = sum.on(std::move(*decoded));
    if (!step) {
        into.story += "refused: " + step.error().text;
        return false;
    }
    if (const auto* piece = std::get_if<messages::accumulator::text_piece>(&*step))
        into.story += fmt::format("{}: {}\n", piece->index, piece->text);
    if (const auto* failed = std::get_if<messages::server_error>(&*step)) {
        into.story += fmt::format("failed: {} {} {}", failed->type, failed->message, failed->code);
        return false;
    }
    if (!std::holds_alternative<messages::accumulator::complete>(*step))
        return true;
    into.reply = sum.take();
    return false;
}

outcome play(const std::vector<std::string_view>& pieces)
{
    outcome end;
    proto::sse::parser parser;
    messages::accumulator sum;
    bool more = true;
    for (std::size_t i = 0; more && i < pieces.size(); ++i) {
        std::vector<proto::sse::event> events;
        fuzz::must(parser.feed(pieces[i], events).has_value(), "no event is beyond the bound");
        for (std::size_t k = 0; more && k < events.size(); ++k)
            more = take(end, sum, events[k]);
    }
    for (const auto& remark : sum.remarks())
        end.story += "\nremark: " + remark;
    return end;
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto bytes = fuzz::as_text(data, size);
    const auto whole = play({bytes});
    if (whole.reply)
        fuzz::check_reply(*whole.reply, size);
    const auto cut = play(fuzz::in_pieces(bytes, 24));
    fuzz::must(whole.story == cut.story, "pieces tell the same story");
    fuzz::must(whole.reply.has_value() == cut.reply.has_value(), "pieces end the same way");
    if (whole.reply)
        fuzz::must(fuzz::describe(*whole.reply) == fuzz::describe(*cut.reply),
            "pieces give the same reply");
    return 0;
}
