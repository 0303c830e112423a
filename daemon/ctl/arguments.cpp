#include "ctl/arguments.hpp"

#include "ctl/exit_code.hpp"

#include <CLI/CLI.hpp>

#include <sstream>

namespace agentd::ctl {
namespace {

using pairs = std::vector<std::pair<std::string, std::string>>;

// Where the options of all verbs are written while CLI11 reads; one of them is then taken.
struct parsed {
    invocation result;
    submit_verb submit;
    run_verb run;
    ls_verb ls;
    show_verb show;
    follow_verb follow;
    wait_verb wait;
    cancel_verb cancel;
    send_verb send;
    jobs_verb jobs;
    output_verb output;
    kill_verb kill;
    input_verb input;
    sessions_verb sessions;
    transcript_verb transcript;
    rm_verb rm;
    export_verb exported;
    import_verb imported;
    events_verb events;
    doctor_verb doctor;
};

// CLI11's own check of this tells the largest double there is.
const CLI::Validator not_negative{
    [](const std::string& text) {
        return text.starts_with('-') ? std::string{"must not be negative"} : std::string{};
    },
    "", "not negative"};

// An option `KEY=VALUE` that may be given many times.
void add_pairs(CLI::App& at, const std::string& name, pairs& into, const std::string& help)
{
    const auto take = [&into, name](const std::vector<std::string>& given) {
        for (const auto& one : given) {
            const auto sign = one.find('=');
            if (sign == std::string::npos || sign == 0)
                throw CLI::ValidationError(name, "is to be KEY=VALUE, not " + one);
            into.emplace_back(one.substr(0, sign), one.substr(sign + 1));
        }
    };
    at.add_option_function<std::vector<std::string>>(name, take, help)
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
}

// An option with several values, comma-separated or given many times.
void add_list(
    CLI::App& at, const std::string& name, std::vector<std::string>& into, const std::string& help)
{
    at.add_option(name, into, help)->delimiter(',')->allow_extra_args(false);
}

template <class T>
void choose(CLI::App& at, parsed& all, T& filled)
{
    at.callback([&all, &filled] { all.result.what = std::move(filled); });
}

void add_task_fields(CLI::App& at, task_fields& to)
{
    at.add_option("prompt", to.prompt, "the prompt; - reads stdin, @FILE a file, @@ is a literal @")
        ->required();
    auto* session = at.add_option("--session", to.session, "go on in this session");
    auto* workdir = at.add_option(
        "--workdir", to.workdir, "where the model works (default: the current directory)");
    auto* fresh = at.add_flag("--fresh", to.fresh, "work in a fresh folder that the daemon makes");
    auto* system = at.add_option("--system", to.system, "text appended to the system prompt");
    session->excludes(workdir)->excludes(fresh)->excludes(system);
    workdir->excludes(fresh);
    at.add_option("--model", to.model, "the model to ask");
    add_pairs(at, "--env", to.env, "environment of the task's commands");
    at.add_option("--max-turns", to.max_turns, "model requests at most");
    at.add_option("--timeout", to.timeout_s, "seconds the task may take; 0: no limit");
    at.add_option("--budget-usd", to.budget_usd, "dollars the task may cost");
    at.add_option("--max-tokens-total", to.max_tokens_total, "tokens the task may use");
    at.add_option("--jobs-at-end", to.jobs_at_end,
          "what becomes of jobs when the model is done: wait, detach or kill")
        ->check(CLI::IsMember({"wait", "detach", "kill"}));
    at.add_option("--priority", to.priority, "-100 to 100");
    add_pairs(at, "--label", to.labels, "a label to find the task by");
    at.add_option("--idempotency-key", to.idempotency_key,
        "the same key again answers with the same task (default: a random one)");
}

void add_task_verbs(CLI::App& app, parsed& all)
{
    auto* submit = app.add_subcommand("submit", "hand in a task and print its id");
    add_task_fields(*submit, all.submit.task);
    choose(*submit, all, all.submit);

    auto* run = app.add_subcommand("run", "hand in a task, follow it, print its result");
    add_task_fields(*run, all.run.task);
    run->add_flag("-q,--quiet", all.run.quiet, "no progress on stderr");
    choose(*run, all, all.run);

    auto* ls = app.add_subcommand("ls", "list tasks, newest first");
    add_list(*ls, "--state", all.ls.states, "only these states");
    ls->add_option("--session", all.ls.session, "only of this session");
    add_pairs(*ls, "--label", all.ls.labels, "only with this label");
    ls->add_option("-n,--limit", all.ls.limit, "at most so many")->check(not_negative);
    choose(*ls, all, all.ls);

    auto* show = app.add_subcommand("show", "show a task, session or job");
    show->add_option("id", all.show.id, "its id, or the beginning of it")->required();
    choose(*show, all, all.show);

    auto* follow = app.add_subcommand("follow", "watch a task until it ends");
    follow->add_option("id", all.follow.id, "the task")->required();
    follow->add_option("--after", all.follow.after, "begin after this event (a seq, or now)");
    choose(*follow, all, all.follow);

    auto* wait = app.add_subcommand("wait", "wait until tasks have ended");
    wait->add_option("ids", all.wait.ids, "the tasks")->required();
    wait->add_flag("--any", all.wait.any, "until one of them has ended");
    wait->add_option("--timeout", all.wait.timeout_s, "seconds to wait at most")
        ->check(not_negative);
    choose(*wait, all, all.wait);

    auto* cancel = app.add_subcommand("cancel", "cancel tasks");
    cancel->add_option("ids", all.cancel.ids, "the tasks")->required();
    choose(*cancel, all, all.cancel);

    auto* send = app.add_subcommand("send", "send a message to a task that runs");
    send->add_option("id", all.send.id, "the task")->required();
    send->add_option("text", all.send.text, "the message; - reads stdin, @FILE a file")->required();
    send->add_option(
        "--idempotency-key", all.send.idempotency_key, "the same key again sends nothing new");
    choose(*send, all, all.send);
}

void add_job_verbs(CLI::App& app, parsed& all)
{
    auto* jobs = app.add_subcommand("jobs", "list background jobs, newest first");
    jobs->add_option("--session", all.jobs.session, "only of this session");
    jobs->add_option("--task", all.jobs.task, "only of this task");
    add_list(*jobs, "--state", all.jobs.states, "only these states");
    jobs->add_option("-n,--limit", all.jobs.limit, "at most so many")->check(not_negative);
    choose(*jobs, all, all.jobs);

    auto* output = app.add_subcommand("output", "print what a job has written");
    output->add_option("job", all.output.job, "the job")->required();
    output->add_flag("-f,--follow", all.output.follow, "go on until the job has ended");
    output->add_flag("--raw", all.output.raw, "the bytes as they are, control characters included");
    output->add_flag("--timestamps", all.output.timestamps, "the time before each line");
    auto* offset = output->add_option("--offset", all.output.offset, "begin at this byte")
                       ->check(not_negative);
    output->add_option("--limit", all.output.limit, "bytes at most")->check(not_negative);
    output->add_option("--tail-lines", all.output.tail_lines, "begin so many lines before the end")
        ->excludes(offset)
        ->check(not_negative);
    choose(*output, all, all.output);

    auto* kill = app.add_subcommand("kill", "stop jobs");
    kill->add_option("jobs", all.kill.jobs, "the jobs")->required();
    choose(*kill, all, all.kill);

    auto* input = app.add_subcommand("input", "write to the stdin of a job that asked for one");
    input->add_option("job", all.input.job, "the job")->required();
    auto* text = input->add_option(
        "text", all.input.text, "a line of text; - copies stdin, @FILE a file, as they are");
    auto* eof = input->add_flag("--eof", all.input.eof, "then end the input");
    input->add_flag("-n,--no-newline", all.input.no_newline, "add no line end to the text");
    input->callback([&all, text, eof] {
        if (text->count() == 0 && eof->count() == 0)
            throw CLI::RequiredError("text or --eof");
        all.result.what = std::move(all.input);
    });
}

void add_session_verbs(CLI::App& app, parsed& all)
{
    auto* sessions = app.add_subcommand("sessions", "list sessions, newest first");
    sessions->add_option("-n,--limit", all.sessions.limit, "at most so many")->check(not_negative);
    choose(*sessions, all, all.sessions);

    auto* transcript = app.add_subcommand("transcript", "print a session's conversation");
    transcript->add_option("session", all.transcript.session, "the session")->required();
    transcript->add_option("-n,--limit", all.transcript.limit, "messages at most")
        ->check(not_negative);
    choose(*transcript, all, all.transcript);

    auto* rm = app.add_subcommand("rm", "delete sessions");
    rm->add_option("sessions", all.rm.sessions, "the sessions")->required();
    choose(*rm, all, all.rm);

    auto* out = app.add_subcommand("export", "print a session as JSON Lines");
    out->add_option("session", all.exported.session, "the session")->required();
    choose(*out, all, all.exported);

    auto* in = app.add_subcommand("import", "make a session of an export and print its id");
    in->add_option("file", all.imported.file, "the export; - reads stdin")->required();
    auto* workdir = in->add_option(
        "--workdir", all.imported.workdir, "where the model works (default: where it did)");
    in->add_flag("--fresh", all.imported.fresh, "work in a fresh folder that the daemon makes")
        ->excludes(workdir);
    choose(*in, all, all.imported);
}

void add_daemon_verbs(CLI::App& app, parsed& all)
{
    auto* events = app.add_subcommand("events", "print the daemon's history");
    events->add_flag("-f,--follow", all.events.follow, "go on with what happens");
    events->add_option("--after", all.events.after, "begin after this event (a seq, or now)");
    events->add_option("--task", all.events.task, "only of this task");
    events->add_option("--session", all.events.session, "only of this session");
    add_list(*events, "--types", all.events.types, "only these types");
    events->add_option("-n,--limit", all.events.limit, "at most so many")->check(not_negative);
    choose(*events, all, all.events);

    auto* info = app.add_subcommand("info", "version, limits and counts of the daemon");
    info->callback([&all] { all.result.what = info_verb{}; });
    auto* health = app.add_subcommand("health", "whether the daemon is well");
    health->callback([&all] { all.result.what = health_verb{}; });

    auto* doctor = app.add_subcommand("doctor", "find out what is wrong and what to do about it");
    doctor->add_option("--state-dir", all.doctor.state_dir, "where the daemon keeps its state");
    doctor->add_option("--config", all.doctor.config, "the daemon's configuration file");
    doctor->add_option("--agentd", all.doctor.agentd, "the daemon's program, which looks there");
    choose(*doctor, all, all.doctor);
}

early_end ended(const CLI::App& app, const CLI::ParseError& why)
{
    std::ostringstream out, err;
    const int code = app.exit(why, out, err);
    if (code == 0)
        return {0, out.str()};
    return {exit_code(errc::usage), err.str()};
}

} // namespace

std::expected<invocation, early_end> parse_arguments(int argc, const char* const* argv)
{
    CLI::App app{"The client of agentd, the agent daemon.", "agentctl"};
    parsed all;
    app.set_version_flag("--version", std::string{"agentctl "} + AGENTD_VERSION);
    app.fallthrough();
    app.require_subcommand(1);
    app.add_option(
        "--socket", all.result.socket, "the daemon's socket (environment: AGENTD_SOCKET)");
    app.add_flag("--json", all.result.json, "JSON on stdout, one object a line");
    app.footer("Exit codes: 0 ok, 1 task failed, 2 usage, 3 daemon unreachable, 4 not found,\n"
               "5 denied or conflict, 6 task cancelled, 7 refused for now, 8 daemon error,\n"
               "124 wait timed out, 130 interrupted.");
    add_task_verbs(app, all);
    add_job_verbs(app, all);
    add_session_verbs(app, all);
    add_daemon_verbs(app, all);
    try { // CLI11 tells of everything, help included, by exceptions
        app.parse(argc, argv);
    } catch (const CLI::ParseError& why) {
        return std::unexpected(ended(app, why));
    }
    return std::move(all.result);
}

} // namespace agentd::ctl
