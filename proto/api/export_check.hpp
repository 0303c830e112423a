// Whether the records of an export, one after another, are a session that can go on: nothing
// missing or double, and a history that the model's server takes. Keeps no record: bounded by
// the number of calls that one reply asks for. Pure; any thread.
#pragma once

#include "proto/api/export.hpp"

#include <set>
#include <string>
#include <vector>

namespace agentd::proto::api {

class export_check {
public:
    // The next record. Errors, after which there is no next: invalid_field.
    [[nodiscard]] base::result<> add(const export_record& next);
    // There is no more. Errors: invalid_field, when the end was missing.
    [[nodiscard]] base::result<> finish() const;

    [[nodiscard]] const export_head& head() const { return head_; }
    // The calls that the last message asks for: nothing has answered them.
    [[nodiscard]] const std::vector<std::string>& open_calls() const { return open_; }
    // Of the last message.
    [[nodiscard]] const base::task_id& last_task() const { return last_task_; }

private:
    [[nodiscard]] base::result<> take(const export_head& head);
    [[nodiscard]] base::result<> take(const export_epoch& epoch);
    [[nodiscard]] base::result<> take(const export_message& message);
    [[nodiscard]] base::result<> take(const export_end& end);
    [[nodiscard]] base::result<> follow(const export_message& message);

    enum class at { begin, epochs, messages, end }; // what was read last
    at at_ = at::begin;
    export_head head_;
    std::int64_t epochs_ = 0;
    std::int64_t messages_ = 0;
    std::int64_t first_seq_ = 0;  // of the last epoch
    std::int64_t last_epoch_ = 1; // of the last message
    bool any_ = false;            // message of the last epoch's history
    std::vector<std::string> open_;
    base::task_id last_task_;
};

} // namespace agentd::proto::api
