// The headers by which a server asks for patience, and what the retry policy makes of them: a
// delay is positive, finite, and never beyond what may still be waited.
#include "model/retry_policy.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>

namespace {

using namespace agentd;
using std::chrono::milliseconds;

constexpr base::wall_time now{std::chrono::seconds{1'795'000'000}}; // November 2026
constexpr milliseconds retry_for{900'000};

void follow(std::optional<milliseconds> wish, double random)
{
    const base::mono_time start{};
    model::retry_policy policy{retry_for, 0, start};
    model::attempt_failure failed;
    failed.what = model::attempt_failure::kind::http;
    failed.told.status = 429;
    failed.retry_after = wish;
    auto clock = start;
    for (int attempt = 0; attempt < 5; ++attempt) {
        const auto next = policy.on_failure(failed, clock, random);
        const auto* again = std::get_if<model::retry_policy::again>(&next);
        if (again == nullptr)
            return;
        fuzz::must(again->delay > milliseconds{0}, "there is a pause between attempts");
        fuzz::must(!wish || again->delay >= *wish, "the server's wish is a floor");
        fuzz::must(again->delay <= policy.left(clock), "no pause is longer than what is left");
        clock += again->delay;
    }
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto parts = fuzz::in_parts(fuzz::as_text(data, size), 2);
    const auto wish = model::parse_retry_after(parts[0], parts[1], now);
    fuzz::must(!wish || *wish > milliseconds{0}, "a wish is positive");
    follow(wish, 0.0);
    follow(wish, 0.999);
    return 0;
}
