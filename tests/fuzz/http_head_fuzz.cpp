// The bytes of an HTTP reply: head, interim replies, chunks and trailers. What comes out does not
// depend on how they arrive, and nothing grows beyond the bounds of a head.
#include "base/limits.hpp"
#include "model/reply_parser.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace {

using namespace agentd;

class listener final : public model::reply_taker {
public:
    void on_head(const model::reply_head& head) override
    {
        fuzz::must(heads_++ == 0, "there is one head");
        head_ = std::to_string(head.status);
        for (const auto& [name, value] : head.fields)
            head_.append("\n").append(name).append(": ").append(value);
        fuzz::must(head_.size() <= 2 * limits::reply_header_bytes, "a head is bounded");
    }
    bool on_body(std::string_view piece) override
    {
        fuzz::must(heads_ == 1, "the head comes before the body");
        fuzz::must(!piece.empty(), "no piece is empty");
        body_ += piece;
        return true;
    }

    std::string head_;
    std::string body_;

private:
    int heads_ = 0;
};

struct outcome {
    bool good = false; // whole, or ended where it may
    std::string head, body;
};

outcome read(const std::vector<std::string_view>& pieces)
{
    outcome end;
    bool refused = false;
    listener into;
    model::reply_parser reply;
    for (std::size_t i = 0; i < pieces.size() && !refused; ++i) {
        auto rest = pieces[i];
        while (!rest.empty() && !reply.is_whole() && !refused) {
            const auto room = reply.room();
            fuzz::must(!room.empty(), "there is room as long as it goes on");
            const auto count = std::min(room.size(), rest.size());
            std::memcpy(room.data(), rest.data(), count);
            rest.remove_prefix(count);
            refused = !reply.take(count, into);
        }
        fuzz::must(!reply.leaves_reusable() || reply.is_whole(), "only a whole reply is reusable");
    }
    end.good = !refused && (reply.is_whole() || reply.end().has_value());
    end.head = into.head_;
    end.body = into.body_;
    return end;
}

// What is bad may be found to be so earlier or later.
void same(const outcome& a, const outcome& b)
{
    fuzz::must(a.good == b.good, "pieces are as good as the whole");
    fuzz::must(!a.good || (a.head == b.head && a.body == b.body), "pieces say the same");
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto bytes = fuzz::as_text(data, size);
    const auto whole = read({bytes});
    same(whole, read(fuzz::in_pieces(bytes, 1)));
    same(whole, read(fuzz::in_pieces(bytes, 48)));
    return 0;
}
