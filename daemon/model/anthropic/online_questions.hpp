// The free questions of --check-config --online and what their answers mean (wire reference §6,
// §6.1): compatible servers have only some of the calls. On the strand of the asker.
#pragma once

#include "model/anthropic/side_call.hpp"
#include "model/online_check.hpp"
#include "model/origin.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace agentd::model::anthropic {

class online_questions {
public:
    online_questions(std::shared_ptr<origin> at, online_question what);

    // All of them, in turn; ends with the first that says that something is wrong.
    [[nodiscard]] aio::awaitable<base::result<std::string>> ask();

private:
    using checked = base::result<>;

    aio::awaitable<checked> list_models();
    aio::awaitable<checked> find(std::string model);
    // Would it take a request for `model`?
    aio::awaitable<checked> try_request(std::string model);
    // Is there anything at all?
    aio::awaitable<checked> try_path();
    aio::awaitable<base::result<side_reply>> call(side_question what);
    // What the body of an error says, behind a colon for the end of a sentence; "" where nothing.
    [[nodiscard]] std::string said(const side_reply& got) const;
    // Of what the server sent, for people: without the secrets.
    [[nodiscard]] std::string clean(std::string text) const;
    [[nodiscard]] base::error unknown(const std::string& model) const;
    [[nodiscard]] std::string summary() const;
    // "HOST[:PORT]"
    [[nodiscard]] std::string host() const { return at_->address().authority(); }

    std::shared_ptr<origin> at_;
    online_question what_;
    std::vector<std::string> listed_;   // ids of models
    bool has_list_ = false;             // the server has the call
    std::vector<std::string> unproven_; // models that it could not be asked for
    bool credential_proven_ = false;
    std::optional<std::int64_t> tokens_; // of the request that was tried
};

} // namespace agentd::model::anthropic
