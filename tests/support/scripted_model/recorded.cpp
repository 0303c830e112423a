// See recorded.hpp. Any thread; no state is kept between two calls.
#include "recorded.hpp"

#include "history_check.hpp"
#include "message_text.hpp"
#include "validator.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <istream>
#include <map>
#include <optional>
#include <utility>

namespace agentd::testing {

namespace json = boost::json;

namespace {

// What is known of one conversation.
struct known {
    std::size_t requests = 0;
    sent_history history;
    last_answer answer;
    bool paused = false;
};

json::value parsed_or_null(std::string_view text)
{
    boost::system::error_code error;
    json::parse_options options;
    options.max_depth = 128;
    auto value = json::parse({text.data(), text.size()}, error, {}, options);
    return error ? json::value{} : value;
}

made_block block_of(const json::object& from)
{
    made_block made;
    made.block = from;
    made.block.erase("input_raw");
    made.input = text_field(from, "input_raw");
    return made;
}

// Nothing: the line's `reply` has another form than recorded.hpp says.
std::optional<last_answer> answer_of(const json::object& line)
{
    const auto* reply = line.if_contains("reply");
    last_answer answer;
    if (reply == nullptr || reply->is_null())
        return answer;
    if (reply->is_string()) {
        answer.is = last_answer::state::unknown;
        return answer;
    }
    const auto* object = reply->if_object();
    const auto* content = object == nullptr ? nullptr : list_field(*object, "content");
    if (content == nullptr)
        return std::nullopt;
    made_message message;
    message.stop_reason = text_field(*object, "stop_reason");
    for (const auto& block : *content) {
        if (!block.is_object())
            return std::nullopt;
        message.blocks.push_back(block_of(block.get_object()));
    }
    return answer_given(message, 200);
}

complaint judge(known& talk, const std::string& body)
{
    auto value = parsed_or_null(body);
    if (!value.is_object())
        return "the request body is no JSON object";
    validation_context context;
    context.pause_turn_open = talk.paused;
    if (auto wrong = validate_request(value.get_object(), context))
        return wrong;
    auto now = history_of(body);
    auto wrong = check_history(talk.history, talk.answer, now, append_rule::strict);
    talk.history = std::move(now);
    return wrong;
}

} // namespace

recorded_verdict judge_recorded(std::istream& lines)
{
    recorded_verdict out;
    std::map<std::string, known, std::less<>> talks;
    for (std::string line; std::getline(lines, line);) {
        auto value = parsed_or_null(line);
        const auto* record = value.if_object();
        auto answer = record == nullptr ? std::nullopt : answer_of(*record);
        ++out.requests;
        if (!answer) {
            out.findings.push_back("line " + std::to_string(out.requests) + ": no record");
            continue;
        }
        std::string name{text_field(*record, "conversation")};
        auto& talk = talks[name];
        ++talk.requests;
        if (auto wrong = judge(talk, std::string{text_field(*record, "body")}))
            out.findings.push_back(
                name + " request " + std::to_string(talk.requests) + ": " + *wrong);
        talk.paused = answer->message && answer->message->stop_reason == "pause_turn";
        talk.answer = std::move(*answer);
    }
    return out;
}

} // namespace agentd::testing
