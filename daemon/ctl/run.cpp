#include "ctl/run.hpp"

#include "aio/task_group.hpp"
#include "ctl/commands.hpp"
#include "ctl/socket_path.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <csignal>
#include <optional>

namespace agentd::ctl {
namespace {

namespace asio = boost::asio;

// What the two coroutines of a run share; all on one strand.
struct running {
    explicit running(const aio::executor& strand)
        : signals(strand, SIGINT, SIGTERM), command(strand), watch(strand)
    {}

    asio::signal_set signals;
    bool interrupted = false;
    std::optional<base::result<>> outcome;
    aio::task command;
    aio::task watch;
};

done start(context& with, verb what)
{
    return std::visit([&with](auto& v) { return execute(with, std::move(v)); }, what);
}

aio::awaitable<> obey(running& state, context& with, verb what)
{
    auto ended = co_await start(with, std::move(what));
    state.outcome.emplace(std::move(ended));
    state.watch.cancel();
}

// The first signal ends the command (the daemon's work goes on); a second one ends us.
aio::awaitable<> heed_signals(running& state)
{
    boost::system::error_code failure;
    co_await state.signals.async_wait(asio::redirect_error(asio::use_awaitable, failure));
    if (failure)
        co_return;
    state.signals.clear(failure); // back to their default
    state.interrupted = true;
    state.command.cancel();
}

// Puts the texts that arguments name in their place.
base::result<> read_texts(verb& what)
{
    if (auto* import = std::get_if<import_verb>(&what)) {
        auto lines = file_argument(import->file);
        if (!lines)
            return std::unexpected(std::move(lines).error());
        import->file = std::move(*lines);
        return {};
    }
    std::string* given = nullptr;
    if (auto* submit = std::get_if<submit_verb>(&what))
        given = &submit->task.prompt;
    else if (auto* run = std::get_if<run_verb>(&what))
        given = &run->task.prompt;
    else if (auto* send = std::get_if<send_verb>(&what))
        given = &send->text;
    else if (auto* input = std::get_if<input_verb>(&what))
        given = &input->text;
    if (given == nullptr)
        return {};
    // A text that stands in the argument itself is a line to write; what is copied stays exact.
    const bool copied = *given == "-" || (given->starts_with('@') && !given->starts_with("@@"));
    auto text = text_argument(*given);
    if (!text)
        return std::unexpected(std::move(text).error());
    *given = std::move(*text);
    if (auto* input = std::get_if<input_verb>(&what))
        if (!copied && !input->no_newline && !input->text.empty())
            input->text += '\n';
    return {};
}

int finish(const running& state, context& with)
{
    const bool written = with.term.flush();
    if (!state.outcome) {
        with.term.say(with.farewell.empty() ? "interrupted" : "interrupted; " + with.farewell);
        return exit_code(errc::interrupted);
    }
    if (!*state.outcome) {
        with.term.say("agentctl: " + state.outcome->error().text);
        return exit_code(state.outcome->error());
    }
    if (!written) {
        with.term.say("agentctl: cannot write to stdout");
        return exit_code(errc::daemon_error);
    }
    return 0;
}

} // namespace

int run(int argc, const char* const* argv, std::FILE* out, std::FILE* err)
{
    console term{out, err};
    auto parsed = parse_arguments(argc, argv);
    if (!parsed) {
        const auto& end = parsed.error();
        end.exit_code == 0 ? term.text(end.text) : term.say(end.text);
        return end.exit_code;
    }
    // May wait for a terminal: an interrupt still ends us at once.
    if (const auto read = read_texts(parsed->what); !read) {
        term.say("agentctl: " + read.error().text);
        return exit_code(read.error());
    }
    asio::io_context io{1};
    client daemon{find_socket(parsed->socket, process_environment(), file_exists()),
        [&term](const std::string& why) { term.progress("agentctl: " + why); }};
    context with{daemon, term, parsed->json, {}};
    running state{aio::make_strand(io.get_executor())};
    state.command.start("command", obey(state, with, std::move(parsed->what)));
    state.watch.start("signals", heed_signals(state));
    io.run();
    return finish(state, with);
}

} // namespace agentd::ctl
