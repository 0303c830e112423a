// See director.hpp. This file: the way of one request through the checks, and the calls
// that need no conversation. director_script.cpp: conversations and their steps.
#include "director_judged.hpp"
#include "message_text.hpp"
#include "validator.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <utility>

namespace agentd::testing {

namespace json = boost::json;

namespace {

constexpr std::size_t deepest_json = 128;

std::optional<std::string> wrong_credential(const http_request& request, const std::string& key)
{
    auto keys = header_values(request.headers, "x-api-key");
    auto bearers = header_values(request.headers, "authorization");
    if (keys.size() + bearers.size() > 1)
        return "only one of x-api-key and authorization may be sent";
    if (keys.empty() && bearers.empty())
        return "x-api-key header is required";
    auto given = keys.empty() ? bearers.front() : keys.front();
    if (keys.empty()) {
        if (!given.starts_with("Bearer "))
            return "invalid bearer token";
        given.remove_prefix(7);
    }
    if (given.empty() || (!key.empty() && given != key))
        return keys.empty() ? "invalid bearer token" : "invalid x-api-key";
    return std::nullopt;
}

std::optional<std::string> wrong_version(const http_request& request)
{
    auto version = header(request.headers, "anthropic-version");
    if (!version)
        return "anthropic-version: header is required";
    if (*version != "2023-06-01" && *version != "2026-10-21")
        return "anthropic-version: \"" + std::string{*version} + "\" is not a valid version";
    return std::nullopt;
}

json::object model_object(const std::string& id)
{
    json::object model;
    model.emplace("type", "model");
    model.emplace("id", id);
    model.emplace("display_name", id);
    model.emplace("created_at", "2026-01-01T00:00:00Z");
    model.emplace("max_input_tokens", 1'000'000);
    model.emplace("max_tokens", 128'000);
    return model;
}

} // namespace

director::director(const scenario& plan, director_options options, recorder& records)
    : plan_{plan}, options_{std::move(options)}, records_{records}, ids_{options_.seed}
{}

void director::refuse(judged& at, int status, std::string why, std::string_view outcome)
{
    at.record.outcome = outcome;
    if (outcome != "refused")
        at.record.violations.push_back(why);
    at.out.wire = plan_error(refusal(status, std::move(why)), at.request_id);
}

verdict director::decide(const http_request& request)
{
    judged at{request, ids_.next("req_")};
    at.record.method = request.method;
    at.record.path = request.path;
    at.record.connection = request.connection;
    at.record.sni = request.sni;
    at.record.received = records_.since_start(request.received);
    at.record.headers = redacted(request.headers);
    at.record.body = request.body;
    at.record.outcome = "answered";
    route(at);
    at.record.status = at.out.wire.status;
    at.out.record = records_.add(std::move(at.record));
    return std::move(at.out);
}

verdict director::too_large(const http_request& head)
{
    judged at{head, ids_.next("req_")};
    at.record.method = head.method;
    at.record.path = head.path;
    at.record.connection = head.connection;
    at.record.received = records_.since_start(head.received);
    at.record.headers = redacted(head.headers);
    refuse(at, 413, "Request exceeds the maximum allowed number of bytes.", "refused");
    if (plan_.too_large) {
        reply_context context;
        context.request_id = at.request_id;
        at.out.wire = plan_reply(*plan_.too_large, {}, context, ids_).wire;
    }
    at.out.wire.closes = true;
    at.record.status = at.out.wire.status;
    at.out.record = records_.add(std::move(at.record));
    return std::move(at.out);
}

void director::route(judged& at)
{
    const auto& request = at.request;
    bool messages = request.path == "/v1/messages";
    bool count = request.path == "/v1/messages/count_tokens";
    bool models = request.path == "/v1/models" || request.path.starts_with("/v1/models/");
    if (!messages && !count && !models)
        return refuse(at, 404, "Not found: " + request.path, "refused");
    if (request.method != (models ? "GET" : "POST"))
        return refuse(at, 405, "Method Not Allowed: " + request.method, "invalid");
    if (auto wrong = wrong_credential(request, options_.key))
        return refuse(at, 401, *wrong, "refused");
    if (auto wrong = wrong_version(request))
        return refuse(at, 400, *wrong, "invalid");
    if (models)
        return answer_models(at);
    check_post(at);
    if (at.record.outcome != "answered")
        return;
    if (count)
        answer_count(at);
    else
        answer_messages(at);
}

void director::check_post(judged& at)
{
    auto type = header(at.request.headers, "content-type").value_or("");
    if (!type.starts_with("application/json"))
        return refuse(at, 400, "content-type: must be application/json", "invalid");
    boost::system::error_code error;
    json::parse_options options;
    options.max_depth = deepest_json;
    at.parsed = json::parse(*at.request.body, error, {}, options);
    if (error)
        return refuse(at, 400, "The request body is not valid JSON: " + error.message(), "invalid");
    if (!at.parsed.is_object())
        return refuse(at, 400, "The request body must be a JSON object", "invalid");
}

void director::answer_count(judged& at)
{
    validation_context context;
    context.count_tokens = true;
    context.betas = header(at.request.headers, "anthropic-beta").value_or("");
    if (auto wrong = validate_request(at.body(), context))
        return refuse(at, 400, *wrong, "invalid");
    json::object body;
    body.emplace("input_tokens", at.request.body->size() / 4 + 1);
    at.out.wire = plan_body(200, "application/json", json::serialize(body), at.request_id);
}

void director::answer_models(judged& at)
{
    constexpr std::string_view one = "/v1/models/";
    json::object body;
    if (at.request.path.starts_with(one)) {
        auto id = percent_decoded(std::string_view{at.request.path}.substr(one.size()));
        if (std::ranges::find(plan_.models, id) == plan_.models.end())
            return refuse(at, 404, "model: " + id, "refused");
        body = model_object(id);
    } else {
        json::array list;
        for (const auto& id : plan_.models)
            list.push_back(model_object(id));
        body.emplace("data", std::move(list));
        body.emplace("has_more", false);
        body.emplace("first_id", plan_.models.front());
        body.emplace("last_id", plan_.models.back());
    }
    at.out.wire = plan_body(200, "application/json", json::serialize(body), at.request_id);
}

void director::note(const verdict& given, const last_answer& answer)
{
    auto& talk = *given.talk;
    std::lock_guard lock{talk.mutex};
    if (talk.requests != given.turn)
        return; // a later request of the same conversation has overtaken this reply
    talk.answer = answer;
    talk.answered_now = answer.is == last_answer::state::whole;
    if (answer.is != last_answer::state::none)
        talk.paused = given.pauses;
    if (talk.answered_now)
        talk.ever_answered = true;
}

void director::completing(const verdict& given)
{
    if (given.talk)
        note(given, given.answer);
}

void director::replied(const verdict& given, reply_end end)
{
    if (given.talk && end != reply_end::whole) {
        last_answer lost;
        if (end == reply_end::unended && given.answer.is != last_answer::state::none)
            lost.is = last_answer::state::unknown;
        note(given, lost);
    }
    constexpr std::string_view names[] = {"whole", "cut", "client_closed", "unended"};
    records_.finished(given.record, names[static_cast<std::size_t>(end)]);
}

std::size_t director::conversations() const
{
    std::lock_guard lock{mutex_};
    return begun_;
}

} // namespace agentd::testing
