// The objects of the local API as JSON: what the daemon answers and stores, and how agentctl
// reads them back. Writers append to a string; readers check what they use and ignore fields
// they do not know, so that an older agentctl understands a newer daemon.
// Pure; any thread.
#pragma once

#include "base/error.hpp"
#include "proto/api/types.hpp"
#include "proto/json/reader.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace agentd::proto::api {

void append_json(std::string& out, const usage& value);
void append_json(std::string& out, const task& value);
void append_json(std::string& out, const session& value);
void append_json(std::string& out, const job& value);
void append_json(std::string& out, const input_written& value);
void append_json(std::string& out, const message& value);
// The members of `body` stand beside the others.
void append_json(std::string& out, const event& value);

template <class T>
[[nodiscard]] std::string to_json(const T& value)
{
    std::string out;
    append_json(out, value);
    return out;
}

// `],"next":NEXT,"seq":SEQ}`, for page_json.
void append_page_end(std::string& out, std::string_view next, base::event_seq seq);

// `{"items":[...],"next":NEXT,"seq":SEQ}`; an empty `next` (no further page) becomes null.
template <class T>
[[nodiscard]] std::string page_json(
    const std::vector<T>& items, std::string_view next, base::event_seq seq)
{
    std::string out{"{\"items\":["};
    for (const auto& item : items) {
        if (&item != items.data())
            out += ',';
        append_json(out, item);
    }
    append_page_end(out, next, seq);
    return out;
}

// An error as RFC 9457 has it. `name` is the last part of the type's URN.
struct problem {
    std::string name;
    std::string title;
    int status = 500;
    std::string detail;
    std::string request_id;
    std::vector<std::string> candidates;       // of ambiguous_id
    std::optional<base::event_seq> oldest_seq; // of events_gone
    std::optional<std::string> field;          // that is wrong, where it is one field
};
void append_json(std::string& out, const problem& value);

// One page of a list as it was read.
template <class T>
struct page_of {
    std::vector<T> items;
    std::string next; // empty: the last page
    base::event_seq seq = 0;
};

// Errors: json::errc. `from` is one such object.
[[nodiscard]] base::result<task> task_from(const json::value& from);
[[nodiscard]] base::result<session> session_from(const json::value& from);
[[nodiscard]] base::result<job> job_from(const json::value& from);
[[nodiscard]] base::result<input_written> input_written_from(const json::value& from);
[[nodiscard]] base::result<message> message_from(const json::value& from);
// `body` becomes the whole object as it came.
[[nodiscard]] base::result<event> event_from(const json::value& from);

[[nodiscard]] base::result<task> read_task(std::string_view bytes);
[[nodiscard]] base::result<session> read_session(std::string_view bytes);
[[nodiscard]] base::result<job> read_job(std::string_view bytes);
[[nodiscard]] base::result<event> read_event(std::string_view bytes);
[[nodiscard]] base::result<problem> read_problem(std::string_view bytes);
[[nodiscard]] base::result<page_of<task>> read_task_page(std::string_view bytes);
[[nodiscard]] base::result<page_of<session>> read_session_page(std::string_view bytes);
[[nodiscard]] base::result<page_of<job>> read_job_page(std::string_view bytes);
[[nodiscard]] base::result<page_of<message>> read_message_page(std::string_view bytes);

} // namespace agentd::proto::api
