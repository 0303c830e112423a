// What the verbs do: one function each, in chapters by what they are about (submit.cpp,
// tasks.cpp, follow.cpp, jobs.cpp, sessions.cpp, transfer.cpp, info.cpp, doctor.cpp). An error's
// code decides about the exit code, its text is what stderr shows. All on the one strand of
// agentctl.
#pragma once

#include "aio/awaitable.hpp"
#include "base/error.hpp"
#include "ctl/arguments.hpp"
#include "ctl/client.hpp"
#include "ctl/console.hpp"
#include "proto/api/types.hpp"

#include <functional>
#include <string>

namespace agentd::ctl {

// What a command works with. Owned by run(), which awaits it.
struct context {
    client& daemon;
    console& term;
    bool json = false;
    std::string farewell; // said when interrupted: what goes on without us
};

using done = aio::awaitable<base::result<>>;

done execute(context& with, submit_verb what);
done execute(context& with, run_verb what);
done execute(context& with, ls_verb what);
done execute(context& with, show_verb what);
done execute(context& with, follow_verb what);
done execute(context& with, wait_verb what);
done execute(context& with, cancel_verb what);
done execute(context& with, send_verb what);
done execute(context& with, jobs_verb what);
done execute(context& with, output_verb what);
done execute(context& with, kill_verb what);
done execute(context& with, input_verb what);
done execute(context& with, sessions_verb what);
done execute(context& with, transcript_verb what);
done execute(context& with, rm_verb what);
done execute(context& with, export_verb what);
done execute(context& with, import_verb what);
done execute(context& with, events_verb what);
done execute(context& with, info_verb what);
done execute(context& with, health_verb what);
done execute(context& with, doctor_verb what);

// --- what several chapters use

// Calls `take` for each item of a list, page after page; at most `limit` (0: all).
done each_item(client& daemon, std::string path, query filter, std::int64_t limit,
    std::function<base::result<>(const proto::json::value&)> take);

// Follows a task from `after` on until it has ended, showing each event by `show`; the task.
using show_event = std::function<void(const std::string& raw, const proto::json::value& event)>;
aio::awaitable<base::result<proto::api::task>> watch(
    context& with, std::string id, std::optional<std::string> after, show_event show);

// The text that an argument names: itself, "-" stdin, "@FILE" a file, "@@..." a literal "@...".
// Bounded by limits::prompt_bytes. Blocks: run() calls it before it takes the signals over, and
// the verbs get the texts themselves.
[[nodiscard]] base::result<std::string> text_argument(const std::string& given);

// The content of a file, "-" stdin. Bounded by limits::import_bytes. Blocks, as above.
[[nodiscard]] base::result<std::string> file_argument(const std::string& path);

// What the end of a task means for the exit code: nothing, task_failed or task_cancelled.
[[nodiscard]] base::result<> outcome_of(const proto::api::task& ended);

// An object as aligned "name  value" lines; nested ones as a.b.
void print_object(console& term, const proto::json::value& object);

} // namespace agentd::ctl
