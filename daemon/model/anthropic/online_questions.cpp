#include "model/anthropic/online_questions.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "model/error.hpp"
#include "model/redact.hpp"
#include "proto/json/reader.hpp"
#include "proto/json/writer.hpp"
#include "proto/messages/decode.hpp"
#include "proto/messages/encode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace agentd::model::anthropic {
namespace {

namespace json = proto::json;
namespace wire = proto::messages;

constexpr std::size_t told_chars = 300; // of what a server says

base::error wrong(std::string text)
{
    return {errc::bad_options, std::move(text)};
}

// The ids in a list of models, the API's or OpenAI's form: {"data":[{"id":...}]}.
std::optional<std::vector<std::string>> ids_in(const std::string& body)
{
    const auto list = json::parse_object(body);
    const auto* data = list ? list->find("data") : nullptr;
    if (data == nullptr || !data->is(json::kind::array))
        return std::nullopt;
    std::vector<std::string> ids;
    for (const auto& model : data->items())
        if (const auto* id = model.find_string("id"))
            ids.push_back(*id);
    return ids;
}

std::optional<std::int64_t> tokens_in(const std::string& body)
{
    const auto told = json::parse_object(body);
    const auto* tokens = told ? told->find("input_tokens") : nullptr;
    return tokens == nullptr ? std::nullopt : tokens->as_integer();
}

bool is_json_object(const side_reply& got)
{
    return json::parse_object(got.body).has_value();
}

std::string joined(const std::vector<std::string>& words, std::size_t most)
{
    std::string all;
    for (std::size_t i = 0; i < std::min(words.size(), most); ++i)
        all.append(i == 0 ? "" : ", ").append(base::one_line(words[i], limits::model_name_bytes));
    return all + (words.size() > most ? ", …" : "");
}

} // namespace

online_questions::online_questions(std::shared_ptr<origin> at, online_question what)
    : at_(std::move(at)), what_(std::move(what))
{}

aio::awaitable<base::result<std::string>> online_questions::ask()
{
    if (!at_->fault().empty())
        co_return std::unexpected(wrong(at_->fault()));
    auto listed = co_await list_models();
    if (!listed)
        co_return std::unexpected(std::move(listed.error()));
    for (const auto& model : what_.models) {
        auto found = co_await find(model);
        if (!found)
            co_return std::unexpected(std::move(found.error()));
        auto tried = co_await try_request(model);
        if (!tried)
            co_return std::unexpected(std::move(tried.error()));
    }
    if (!credential_proven_) {
        auto there = co_await try_path();
        if (!there)
            co_return std::unexpected(std::move(there.error()));
    }
    co_return summary();
}

// Answers that mean the same for every question are errors here.
aio::awaitable<base::result<side_reply>> online_questions::call(side_question what)
{
    const bool is_post = what.method == "POST";
    const std::string name = what.method + " " + what.path;
    auto got = co_await side_call(at_, std::move(what));
    if (!got)
        co_return std::unexpected(
            wrong(fmt::format("{} cannot be asked: {}", host(), std::move(got.error().message))));
    if (got->status == 401)
        co_return std::unexpected(
            wrong(fmt::format("{} refuses the credential (401){}", host(), said(*got))));
    if (got->status == 403)
        co_return std::unexpected(wrong(
            fmt::format("the credential is not allowed to use {} (403){}", host(), said(*got))));
    if (got->status / 100 == 3)
        co_return std::unexpected(wrong(fmt::format(
            "{} answers {} with a redirect ({}), which is not followed: base_url has to name the "
            "place itself",
            host(), name, got->status)));
    if (got->is_ok() && !is_json_object(*got))
        co_return std::unexpected(
            wrong(fmt::format("{} is no model's server: it answers {} with {} bytes of \"{}\"",
                host(), name, got->body.size(), base::one_line(clean(got->type), told_chars))));
    // What is wrong with a request is its asker's to judge, as is a call that is not there.
    const bool is_refusal = got->status >= 400 && got->status < 500 && got->status != 429;
    if (!got->is_ok() && !got->is_unsupported() && !(is_post && is_refusal))
        co_return std::unexpected(wrong(fmt::format("{} {} (HTTP {}){}", host(),
            is_refusal ? "refuses " + name : "cannot answer " + name + " now", got->status,
            said(*got))));
    co_return std::move(*got);
}

aio::awaitable<online_questions::checked> online_questions::list_models()
{
    side_question question;
    question.path = "/v1/models?limit=1000";
    auto got = co_await call(std::move(question));
    if (!got)
        co_return std::unexpected(std::move(got.error()));
    // Without the call the credential is judged with the next one.
    if (!got->is_ok())
        co_return checked{};
    credential_proven_ = true;
    if (auto ids = ids_in(got->body)) {
        listed_ = std::move(*ids);
        has_list_ = true;
    }
    co_return checked{};
}

aio::awaitable<online_questions::checked> online_questions::find(std::string model)
{
    side_question question;
    question.path = "/v1/models/" + path_segment(model);
    auto got = co_await call(std::move(question));
    if (!got)
        co_return std::unexpected(std::move(got.error()));
    if (got->is_ok() || std::ranges::find(listed_, model) != listed_.end())
        co_return checked{};
    if (has_list_)
        co_return std::unexpected(unknown(model));
    unproven_.push_back(std::move(model));
    co_return checked{};
}

aio::awaitable<online_questions::checked> online_questions::try_request(std::string model)
{
    side_question question;
    question.method = "POST";
    question.path = "/v1/messages/count_tokens";
    {
        json::object_writer body{question.body};
        body.member("model", model);
        if (what_.system && !what_.system->empty())
            body.raw("system", *what_.system);
        if (what_.tools && !what_.tools->empty())
            body.raw("tools", *what_.tools);
        const std::string greeting[] = {wire::text_block("Hello.")};
        const std::string messages = "[" + wire::user_message(wire::content_of(greeting)) + "]";
        body.raw("messages", messages);
    }
    auto got = co_await call(std::move(question));
    if (!got)
        co_return std::unexpected(std::move(got.error()));
    const bool is_open = std::ranges::find(unproven_, model) != unproven_.end();
    if (got->is_ok()) {
        credential_proven_ = true;
        std::erase(unproven_, model);
        tokens_ = tokens_ ? tokens_ : tokens_in(got->body);
        co_return checked{};
    }
    const auto told = wire::decode_error(got->body);
    if (got->status == 404 && is_open && told.message.find(model) != std::string::npos)
        co_return std::unexpected(unknown(model));
    if (got->is_unsupported())
        co_return checked{};
    co_return std::unexpected(wrong(fmt::format(
        "{} refuses agentd's requests for {} ({}){}", host(), model, got->status, said(*got))));
}

// A server with none of the free calls, or no such path at all: a request without a model cannot
// be answered, and so costs nothing.
aio::awaitable<online_questions::checked> online_questions::try_path()
{
    side_question question;
    question.method = "POST";
    question.path = "/v1/messages";
    question.body = "{}";
    auto got = co_await call(std::move(question));
    if (!got)
        co_return std::unexpected(std::move(got.error()));
    if (!got->is_unsupported())
        co_return checked{};
    auto text = fmt::format(
        "{} has no {} (HTTP {})", host(), at_->address().join("/v1/messages"), got->status);
    if (const auto hint = warning_about(at_->configured()); !hint.empty())
        text += ": " + hint;
    co_return std::unexpected(wrong(std::move(text)));
}

std::string online_questions::clean(std::string text) const
{
    redact(text, at_->secrets());
    return text;
}

std::string online_questions::said(const side_reply& got) const
{
    const auto told = wire::decode_error(clean(got.body));
    return told.message.empty() ? std::string{} : ": " + base::one_line(told.message, told_chars);
}

base::error online_questions::unknown(const std::string& model) const
{
    auto text = fmt::format("the model {} is not known to {}", model, host());
    std::vector<std::string> others;
    for (const auto& one : listed_)
        others.push_back(clean(one));
    if (!others.empty())
        text += "; it knows " + joined(others, limits::models_named);
    return wrong(std::move(text));
}

std::string online_questions::summary() const
{
    auto text = fmt::format("ok: {} answers", host());
    text += credential_proven_ ? ", takes the credential"
                               : "; nothing shows that it takes the credential";
    std::vector<std::string> known;
    for (const auto& model : what_.models)
        if (std::ranges::find(unproven_, model) == unproven_.end())
            known.push_back(model);
    if (!known.empty())
        text += " and knows " + joined(known, known.size());
    if (!unproven_.empty())
        text += "; it cannot be asked for " + joined(unproven_, unproven_.size());
    if (tokens_)
        text += fmt::format("; a first request has {} tokens", *tokens_);
    else
        text += "; it has no count_tokens, so no request was tried";
    return text;
}

} // namespace agentd::model::anthropic
