// See recorder.hpp.
#include "recorder.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <openssl/sha.h>

#include <algorithm>
#include <array>

namespace agentd::testing {

namespace json = boost::json;

namespace {

constexpr std::size_t most_records = 100'000;
constexpr std::size_t most_body_bytes = 256U << 20U;
constexpr std::string_view messages_path = "/v1/messages";

std::string hash_of(std::string_view secret)
{
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), digest.data());
    constexpr std::string_view hex = "0123456789abcdef";
    std::string out = "sha256:";
    for (std::size_t i = 0; i < 8; ++i) {
        out.push_back(hex[digest[i] >> 4U]);
        out.push_back(hex[digest[i] & 15U]);
    }
    return out;
}

bool belongs(const request_record& record, const std::string& conversation)
{
    return conversation.empty() || record.conversation == conversation ||
        record.key == conversation || record.prompt.find(conversation) != std::string::npos;
}

double milliseconds(std::chrono::microseconds time)
{
    return static_cast<double>(time.count()) / 1000.0;
}

} // namespace

recorder::recorder(const std::string& file)
{
    if (!file.empty())
        file_.open(file, std::ios::app | std::ios::binary);
}

std::chrono::microseconds recorder::since_start(std::chrono::steady_clock::time_point when) const
{
    return std::chrono::duration_cast<std::chrono::microseconds>(when - start_);
}

std::uint64_t recorder::add(request_record record)
{
    std::uint64_t number = 0;
    {
        std::lock_guard lock{mutex_};
        number = record.n = ++last_;
        if (file_.is_open())
            file_ << json::serialize(to_json(record, true)) << '\n' << std::flush;
        if (record.path == messages_path)
            ++messages_;
        if (!record.violations.empty())
            ++violations_;
        body_bytes_ += record.body ? record.body->size() : 0;
        records_.push_back(std::move(record));
        trim();
    }
    changed_();
    return number;
}

void recorder::trim()
{
    while (body_bytes_ > most_body_bytes && first_with_body_ < records_.size()) {
        auto& body = records_[first_with_body_++].body;
        body_bytes_ -= body ? body->size() : 0;
        body = nullptr;
    }
    while (records_.size() > most_records) {
        const auto& body = records_.front().body;
        body_bytes_ -= body ? body->size() : 0;
        records_.pop_front();
        first_with_body_ -= first_with_body_ > 0 ? 1 : 0;
    }
}

void recorder::finished(std::uint64_t n, std::string_view reply_end)
{
    auto now = since_start(std::chrono::steady_clock::now());
    {
        std::lock_guard lock{mutex_};
        auto found = std::ranges::lower_bound(records_, n, {}, &request_record::n);
        if (found == records_.end() || found->n != n)
            return;
        found->replied = now;
        found->reply_end = reply_end;
        if (found->path == messages_path)
            ++replies_;
    }
    changed_();
}

json::object recorder::list(const record_query& query) const
{
    std::vector<request_record> found;
    {
        std::lock_guard lock{mutex_};
        for (auto at = records_.rbegin(); at != records_.rend(); ++at) {
            if (at->n <= query.after || found.size() == query.limit)
                break;
            if (belongs(*at, query.conversation) && (query.path.empty() || at->path == query.path))
                found.push_back(*at);
        }
    }
    json::array requests;
    for (auto at = found.rbegin(); at != found.rend(); ++at)
        requests.push_back(to_json(*at, query.bodies));
    json::object out;
    out.emplace("requests", std::move(requests));
    return out;
}

std::size_t recorder::requests(const std::string& conversation) const
{
    std::lock_guard lock{mutex_};
    if (conversation.empty())
        return messages_;
    return static_cast<std::size_t>(std::ranges::count_if(records_, [&](const auto& record) {
        return record.path == messages_path && belongs(record, conversation);
    }));
}

std::size_t recorder::replies() const
{
    std::lock_guard lock{mutex_};
    return replies_;
}

std::size_t recorder::violations() const
{
    std::lock_guard lock{mutex_};
    return violations_;
}

json::object to_json(const request_record& record, bool with_body)
{
    json::object out;
    out.emplace("n", record.n);
    out.emplace("method", record.method);
    out.emplace("path", record.path);
    out.emplace("conversation", record.conversation);
    out.emplace("key", record.key);
    out.emplace("prompt", record.prompt);
    out.emplace("step", record.step ? json::value(*record.step) : json::value(nullptr));
    out.emplace("connection", record.connection);
    out.emplace("sni", record.sni);
    out.emplace("time_ms", milliseconds(record.received));
    out.emplace("replied_ms",
        record.replied ? json::value(milliseconds(*record.replied)) : json::value(nullptr));
    out.emplace("status", record.status);
    out.emplace("outcome", record.outcome);
    out.emplace("violations", json::array(record.violations.begin(), record.violations.end()));
    out.emplace("reply_end", record.reply_end);
    json::object headers;
    for (const auto& [name, value] : record.headers)
        headers.insert_or_assign(name, value);
    out.emplace("headers", std::move(headers));
    if (!with_body || !record.body)
        return out;
    boost::system::error_code error;
    json::parse_options options;
    options.max_depth = 128;
    auto body = json::parse(*record.body, error, {}, options);
    out.emplace("body", error ? json::value(nullptr) : std::move(body));
    // Bytes that are no UTF-8 would make the list itself unreadable.
    out.emplace("raw", error == json::error::syntax || !error ? *record.body : std::string{});
    return out;
}

header_list redacted(const header_list& headers)
{
    auto out = headers;
    for (auto& [name, value] : out) {
        if (name == "x-api-key" || name == "proxy-authorization" || name == "cookie")
            value = hash_of(value);
        else if (name == "authorization")
            value = value.starts_with("Bearer ") ? "Bearer " + hash_of(value.substr(7))
                                                 : hash_of(value);
    }
    return out;
}

} // namespace agentd::testing
