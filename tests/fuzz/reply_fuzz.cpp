// All that a server can answer, from HTTP to a reply or a way to fail: the same wherever it is
// cut, fit to be stored, and without the credential, whatever the server quotes.
#include "base/text.hpp"
#include "model/anthropic/rate_headers.hpp"
#include "model/anthropic/reply_reader.hpp"
#include "model/anthropic/thinking.hpp"
#include "model/error.hpp"
#include "model/redact.hpp"
#include "model/reply_parser.hpp"
#include "proto/json/reader.hpp"
#include "proto/messages/encode.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <cstring>

namespace {

using namespace agentd;
using fuzz::must;
namespace anthropic = model::anthropic;

const std::vector<std::string> secrets{"sk-canary"};

class listener final : public model::progress {
public:
    void on_text(std::int64_t, std::size_t, std::string_view text) override
    {
        must(!text.empty() && base::is_utf8(text), "what is shown is text");
    }
    void on_retry(std::int64_t, const model::failure&, std::chrono::milliseconds) override {}
    void on_fallback(std::string_view, std::string_view, const model::failure&) override {}
};

// Hands on what comes, and looks at the head on the way.
class taker final : public model::reply_taker {
public:
    explicit taker(anthropic::reply_reader& to) : to_(to) {}

    void on_head(const model::reply_head& head) override
    {
        const auto spent = anthropic::spent_for(head, base::wall_time{std::chrono::hours{500'000}});
        must(!spent || *spent > std::chrono::milliseconds{0}, "a limit is spent for some time");
        to_.on_head(head);
    }
    bool on_body(std::string_view piece) override { return to_.on_body(piece); }

private:
    anthropic::reply_reader& to_;
};

using result = std::expected<model::reply, model::attempt_failure>;

result read(const std::vector<std::string_view>& pieces)
{
    listener told;
    anthropic::reply_reader reader{told, 1, secrets};
    taker into{reader};
    model::reply_parser parser;
    model::exchange_end end;
    for (std::size_t i = 0; i < pieces.size() && end.how; ++i) {
        auto rest = pieces[i];
        while (!rest.empty() && !parser.is_whole() && end.how) {
            const auto room = parser.room();
            const auto count = std::min(room.size(), rest.size());
            std::memcpy(room.data(), rest.data(), count);
            rest.remove_prefix(count);
            end.any_byte = true;
            end.how = parser.take(count, into);
        }
    }
    if (end.how && !parser.is_whole() && !parser.has_enough())
        end.how = parser.end();
    return reader.result(end);
}

void check_failure(model::attempt_failure failed)
{
    // As asking does with what is left: a credential that was escaped in JSON, say.
    model::redact(failed.told.message, secrets);
    must(!failed.told.message.empty() && !failed.told.type.empty(), "a failure says what it is");
    must(failed.told.message.find(secrets[0]) == std::string::npos,
        "no failure quotes the credential");
    must(base::is_utf8(failed.told.message), "what a failure says is text");
    must(!failed.retry_after || *failed.retry_after > std::chrono::milliseconds{0}, "a wish");
}

void check_history(const std::string& content)
{
    if (content.empty())
        return;
    must(proto::json::parse(content).has_value(), "what is stored is strict JSON");
    const auto message =
        std::make_shared<const std::string>(proto::messages::assistant_message(content));
    const auto without = anthropic::without_thinking({message});
    for (const auto& left : without ? *without : std::vector<model::bytes>{})
        must(proto::json::parse_object(*left).has_value(), "so it is without its thinking");
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto bytes = fuzz::as_text(data, size);
    const auto whole = read({bytes});
    const auto cut = read(fuzz::in_pieces(bytes, 32));
    must(whole.has_value() == cut.has_value(), "pieces are a reply where the whole is one");
    if (!whole) {
        check_failure(whole.error());
        check_failure(cut.error());
        return 0;
    }
    const auto content = model::history_content(*whole);
    must(content == model::history_content(*cut), "and the same one");
    check_history(content);
    return 0;
}
