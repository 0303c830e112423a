// The director's second half: conversations, and the walk through their steps.
// See director.hpp for threads.
#include "director_judged.hpp"
#include "matcher.hpp"
#include "message_text.hpp"
#include "validator.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace agentd::testing {

namespace json = boost::json;

namespace {

constexpr std::size_t most_conversations = 200'000;
constexpr std::size_t shown_prompt = 200;

const json::array& messages_in(const json::object& body)
{
    static const json::array none;
    const auto* list = list_field(body, "messages");
    return list == nullptr ? none : *list;
}

const script* script_for(const scenario& plan, const std::string& text)
{
    auto matches = [&text](const script& one) { return text.find(one.prompt) != text.npos; };
    auto found = std::ranges::find_if(plan.scripts, matches);
    return found == plan.scripts.end() ? nullptr : &*found;
}

// A first message alone, although it was completely answered: another session with the same
// prompt. Where clients get killed ("extendable") it is the same one, which lost the reply.
bool begins_again(const conversation& known)
{
    return known.answered_now && known.walks->append == append_rule::strict;
}

bool says_pause_turn(const wire_plan& wire)
{
    return std::ranges::any_of(wire.pieces, [](const std::string& piece) {
        return piece.find("\"stop_reason\":\"pause_turn\"") != piece.npos;
    });
}

bool wants_stream(const json::object& body)
{
    const auto* stream = body.if_contains("stream");
    return stream != nullptr && stream->is_bool() && stream->get_bool();
}

} // namespace

// A first message that was extended before any reply to it (a client that was restarted)
// still belongs to the conversation that began with its first texts.
std::shared_ptr<conversation> director::known_conversation(const std::vector<std::string>& texts)
{
    std::string key;
    std::shared_ptr<conversation> found;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        key.append(i == 0 ? "" : "\n").append(texts[i]);
        auto at = conversations_.find(key);
        if (at == conversations_.end())
            continue;
        if (i + 1 == texts.size() || !at->second->ever_answered)
            found = at->second;
    }
    return found;
}

std::shared_ptr<conversation> director::conversation_of(judged& at)
{
    const auto& messages = messages_in(at.body());
    auto texts = messages.empty() ? std::vector<std::string>{} : plain_texts(messages.front());
    auto text = joined(texts);
    std::lock_guard lock{mutex_};
    auto found = known_conversation(texts);
    if (found && !(messages.size() == 1 && begins_again(*found))) {
        conversations_.emplace(text, found);
        return found;
    }
    const auto* walks = script_for(plan_, text);
    if (walks == nullptr || conversations_.size() >= most_conversations)
        return nullptr;
    auto made = std::make_shared<conversation>();
    made->id = "c" + std::to_string(++begun_);
    made->prompt = shortened(text, shown_prompt);
    made->walks = walks;
    conversations_.insert_or_assign(text, made);
    return made;
}

void director::answer_messages(judged& at)
{
    auto talk = conversation_of(at);
    validation_context context;
    context.betas = header(at.request.headers, "anthropic-beta").value_or("");
    std::unique_lock<std::mutex> lock;
    if (talk) {
        lock = std::unique_lock{talk->mutex};
        at.record.conversation = talk->id;
        at.record.key = talk->walks->key;
        at.record.prompt = talk->prompt;
        context.pause_turn_open = talk->paused;
    }
    if (options_.validate)
        if (auto wrong = validate_request(at.body(), context))
            return refuse(at, 400, *wrong, "invalid");
    auto model = std::string{text_field(at.body(), "model")};
    if (std::ranges::find(plan_.models, model) == plan_.models.end())
        return refuse(at, 404, "model: " + model, "refused");
    if (messages_in(at.body()).empty())
        return refuse(at, 400, "messages: at least one message is required", "invalid");
    if (!talk)
        return refuse(
            at, 400, "scenario: no conversation matches this first message", "unscripted");
    at.out.talk = talk;
    walk(at);
}

void director::walk(judged& at)
{
    auto& talk = *at.out.talk;
    if (options_.validate) {
        auto now = history_of(*at.request.body);
        auto wrong = check_history(talk.history, talk.answer, now, talk.walks->append);
        if (wrong) {
            at.out.talk = nullptr;
            return refuse(at, 400, *wrong, "invalid");
        }
        talk.history = std::move(now);
    }
    talk.answer = last_answer{};
    talk.answered_now = false;
    at.out.turn = ++talk.requests;
    talk.known.insert_or_assign("turn", std::to_string(talk.requests));
    talk.known.insert_or_assign("conversation", talk.id);
    std::size_t index = 0;
    const auto* now = step_for(at, index);
    if (now == nullptr)
        return refuse(at, 400,
            "scenario: conversation \"" + talk.walks->key + "\" (" + talk.id +
                ") has no step behind its last",
            "unscripted");
    at.record.step = index;
    take_step(at, *now, index);
}

// The step that answers: steps whose `repeat_until` is met are passed.
const step* director::step_for(judged& at, std::size_t& index)
{
    auto& talk = *at.out.talk;
    const auto& steps = talk.walks->steps;
    matched_request seen{at.body(), at.request.headers};
    while (talk.step < steps.size() && steps[talk.step].repeat_until &&
        !unmet(*steps[talk.step].repeat_until, seen, talk.known)) {
        ++talk.step;
        talk.times_used = 0;
    }
    if (talk.step >= steps.size() && !talk.walks->repeat_last)
        return nullptr;
    index = std::min(talk.step, steps.size() - 1);
    return &steps[index];
}

void director::take_step(judged& at, const step& now, std::size_t index)
{
    auto& talk = *at.out.talk;
    matched_request seen{at.body(), at.request.headers};
    auto missing = unmet(now.expect, seen, talk.known);
    if (missing)
        missing = "expect." + *missing;
    else
        missing = capture(now, seen, talk.known);
    if (missing)
        return refuse(at, 400,
            "scenario: conversation \"" + talk.walks->key + "\" (" + talk.id + ") step " +
                std::to_string(index) + ": " + *missing,
            "unmet");
    if (!now.repeat_until && ++talk.times_used >= now.times) {
        talk.step = index + 1;
        talk.times_used = 0;
    }
    auto model = std::string{text_field(at.body(), "model")};
    reply_context context;
    context.model = model;
    context.input_bytes = at.request.body->size();
    context.stream = wants_stream(at.body());
    context.request_id = at.request_id;
    auto planned = plan_reply(now.answer, talk.known, context, ids_);
    at.out.wire = std::move(planned.wire);
    at.out.answer = answer_given(planned.message, at.out.wire.status);
    at.out.pauses = says_pause_turn(at.out.wire);
}

} // namespace agentd::testing
