#include "model/origin.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "model/error.hpp"
#include "model/jitter.hpp"
#include "model/proxy.hpp"
#include "model/tls_context.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>

namespace agentd::model {
bool is_header_text(std::string_view text)
{
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

std::shared_ptr<origin> origin::make(const aio::executor& io, options what)
{
    return std::shared_ptr<origin>{new origin{io, std::move(what)}};
}

origin::origin(const aio::executor& io, options what)
    : io_(io),
      strand_(aio::make_strand(io)),
      what_(std::move(what)),
      pool_(strand_, what_.limits.pooled),
      input_limits_(strand_)
{
    prepare();
}

void origin::unusable(std::string_view type, std::string text)
{
    fault_type_ = type;
    fault_ = std::move(text);
}

void origin::prepare()
{
    what_.key.value = std::string{base::strip(what_.key.value)};
    if (what_.key.value.empty())
        what_.key.is = credential::kind::none;
    auto address = parse_base_url(what_.base_url, what_.allow_plain_http);
    if (!address)
        return unusable("connect_error", std::move(address.error().text));
    address_ = std::move(*address);
    if (!is_header_text(what_.version))
        return unusable("invalid_request_error", "version has characters that no header has");
    if (!is_header_text(what_.key.value))
        return unusable("no_credential", "the credential has characters that no header has");
    if (what_.key.is == credential::kind::none)
        return unusable(
            "no_credential", "no credential: set ANTHROPIC_API_KEY or model.api_key_file");
    auto via = proxy_for(address_, what_.proxy, what_.no_proxy);
    if (!via)
        return unusable("proxy_error", std::move(via.error().text));
    if (*via && !address_.tls)
        what_.forwarded = forwarding_by(**via, address_);
    secrets_ = what_.forwarded.secrets;
    secrets_.push_back(what_.key.value);
    if (address_.tls) {
        // Want of descriptors passes: the connector reads them again.
        const auto read = check_named_certificates(what_.ca_file);
        if (!read && read.error().is(errc::bad_options))
            return unusable("tls_error", read.error().text);
    }
    connector_.emplace(io_, address_, std::move(*via), what_);
}

aio::awaitable<origin::admission> origin::enter(std::string model)
{
    return aio::on(strand_, enter_here(std::move(model)));
}

aio::awaitable<origin::admission> origin::enter_here(std::string model)
{
    admission now;
    if (const auto gate = gates_.find(model); gate != gates_.end()) {
        const auto entry = gate->second.enter(base::mono_now(), random_share());
        now.wait = entry.wait;
        now.is_probe = entry.is_probe;
    }
    if (now.wait.count() == 0)
        now.used = pool_.take();
    co_return std::move(now);
}

aio::awaitable<std::chrono::milliseconds> origin::line_up(
    std::string model, std::chrono::milliseconds hold)
{
    return aio::on(strand_, line_up_here(std::move(model), hold));
}

aio::awaitable<std::chrono::milliseconds> origin::line_up_here(
    std::string model, std::chrono::milliseconds hold)
{
    const auto now = base::mono_now();
    auto& gate = gate_of(model);
    gate.close_until(now + hold, now);
    co_return gate.line_up(now, random_share());
}

rate_gate& origin::gate_of(const std::string& model)
{
    if (gates_.size() >= limits::rate_lanes && !gates_.contains(model)) {
        const auto now = base::mono_now();
        std::erase_if(gates_, [now](const auto& one) { return one.second.is_idle(now); });
        if (gates_.size() >= limits::rate_lanes) // so many at their limits: one asks too early
            gates_.erase(gates_.begin());
    }
    return gates_[model];
}

aio::awaitable<connection_ptr> origin::unused_connection()
{
    return aio::on(strand_, take_here());
}

aio::awaitable<connection_ptr> origin::take_here()
{
    co_return pool_.take();
}

aio::awaitable<input_limits::ticket> origin::look_up_limit(std::string model)
{
    return aio::on(strand_, input_limits_.look_up(std::move(model)));
}

void origin::limit_is(std::shared_ptr<origin> self, std::string model,
    std::optional<std::int64_t> limit, bool for_good)
{
    const auto strand = self->strand_;
    boost::asio::post(strand, [self = std::move(self), model = std::move(model), limit, for_good] {
        self->input_limits_.learnt(model, limit, for_good);
    });
}

void origin::limit_is_not_asked_for(std::shared_ptr<origin> self, std::string model)
{
    const auto strand = self->strand_;
    boost::asio::post(strand, [self = std::move(self), model = std::move(model)] {
        self->input_limits_.abandoned(model);
    });
}

aio::awaitable<base::result<connection_ptr>> origin::connect()
{
    if (!connector_)
        co_return std::unexpected(base::error{errc::bad_options, fault_});
    co_return co_await connector_->open();
}

void origin::give_back(std::shared_ptr<origin> self, connection_ptr unused)
{
    const auto strand = self->strand_;
    boost::asio::post(strand, [self = std::move(self), unused = std::move(unused)]() mutable {
        self->pool_.put(std::move(unused));
    });
}

void origin::hold_until(std::shared_ptr<origin> self, std::string model, base::mono_time until)
{
    const auto strand = self->strand_;
    boost::asio::post(strand, [self = std::move(self), model = std::move(model), until] {
        self->gate_of(model).close_until(until, base::mono_now());
    });
}

void origin::spent_until(std::shared_ptr<origin> self, std::string model, base::mono_time reset)
{
    const auto strand = self->strand_;
    boost::asio::post(strand, [self = std::move(self), model = std::move(model), reset] {
        self->gate_of(model).spent_until(reset, base::mono_now());
    });
}

void origin::probe_ended(std::shared_ptr<origin> self, std::string model, bool passed)
{
    const auto strand = self->strand_;
    boost::asio::post(strand, [self = std::move(self), model = std::move(model), passed] {
        self->gate_of(model).probe_ended(passed);
    });
}

} // namespace agentd::model
