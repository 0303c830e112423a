// The task that a session works on now: obeys agent_loop until the task has ended. Its steps
// are chapters: open_work.cpp (the loop), open_work_turn.cpp (asking the model),
// open_work_compact.cpp (a summary in place of a long conversation), open_work_calls.cpp (the
// tools), open_work_end.cpp (waiting and ending).
// Owned by its session; on the session's strand.
#pragma once

#include "jobs/foreground.hpp"
#include "session/context_window.hpp"
#include "session/session.hpp"
#include "tools/call_plan.hpp"
#include "tools/tool.hpp"
#include "tools/workspace.hpp"

#include <deque>

namespace agentd::session {

// A reply's tokens, as users see them.
[[nodiscard]] proto::api::usage usage_of(const model::usage& used);

class open_work {
public:
    open_work(session& owner, steps::opened_task what, scheduler::place place);
    ~open_work();

    // Until the task has ended or the daemon stops.
    aio::awaitable<> run();

    // Today's tool set, as it is sent.
    [[nodiscard]] static const std::string& tool_set(environment& shared);

private:
    // --- the loop
    aio::awaitable<> work();
    aio::awaitable<> take(incoming what);
    // What it means for the loop; nullopt: nothing (any more).
    aio::awaitable<std::optional<event>> news_of(incoming what);
    // Tells the loop and does what it asks for, until it asks for nothing.
    aio::awaitable<> tell(event what);
    aio::awaitable<> obey(std::vector<action> actions);
    aio::awaitable<std::optional<event>> perform(action what);
    aio::awaitable<std::optional<event>> run(todo::ask how);
    aio::awaitable<std::optional<event>> run(todo::run_tools how);
    aio::awaitable<std::optional<event>> run(todo::settle);
    aio::awaitable<std::optional<event>> run(todo::wait);
    aio::awaitable<std::optional<event>> run(todo::open_window);
    aio::awaitable<std::optional<event>> run(todo::take_place);
    aio::awaitable<std::optional<event>> run(todo::abort);
    aio::awaitable<std::optional<event>> run(todo::stop_jobs);
    aio::awaitable<std::optional<event>> run(todo::finish how);
    // Opens the workspace and puts together what the task begins with: its first event.
    aio::awaitable<event> prepare();
    void receive(std::vector<steps::waiting_news> news);
    // What the message that was left unanswered carries already.
    void take_over(std::vector<steps::waiting_news> carried);
    [[nodiscard]] happened::begun beginning() const;

    // --- the turn
    // With a summary in place of what is too long, if it is.
    aio::awaitable<std::optional<event>> compact_or_send(todo::ask how);
    // Adds what is new to the message for the next request; it is in carried_ then. The ids of
    // what was not stored with the message before.
    base::result<std::vector<std::int64_t>> compose(const todo::ask& how);
    aio::awaitable<std::optional<event>> send(todo::ask how);
    aio::awaitable<> ask_model(std::uint64_t step, model::request what);
    aio::awaitable<std::optional<event>> answered(model::outcome outcome);
    aio::awaitable<std::optional<event>> not_answered(model::failure why);
    aio::awaitable<> store_reply(model::reply reply, const std::vector<action>& next);
    [[nodiscard]] happened::reply summary_of(const model::reply& reply) const;
    void note_calls(const model::reply& reply, bool run_them);
    [[nodiscard]] std::string spent_by(const proto::api::usage& more, double cost) const;
    [[nodiscard]] double cost_of_reply(const model::reply& reply) const;
    [[nodiscard]] double cost_of_all(const std::vector<model::billed>& what) const;
    [[nodiscard]] double cost_of_model(const std::string& model, const model::usage& used) const;
    // Stores and counts what was paid for although no reply came.
    aio::awaitable<> bill(std::vector<model::billed> what);
    // Counts a reply in memory, as its step does in the store.
    void count(const proto::api::usage& used, double cost);

    // --- a summary in place of a long conversation
    struct compacting {
        todo::ask then; // what was to be asked
        context_window::need form = context_window::need::summary;
        std::string asked; // the user message that it is asked behind
        std::int64_t tokens_before = 0;
        std::optional<model::failure> refused; // the server's word that it is needed
    };
    [[nodiscard]] context_window::need compaction_needed() const;
    // False: the task's prompt, which no summary shortens, is all there is, or leaves no room.
    [[nodiscard]] bool can_be_summarised() const;
    // Bytes of the prompt, until it has been told.
    [[nodiscard]] std::size_t untold() const;
    // A new epoch with so many bytes of messages has room to go on.
    [[nodiscard]] bool has_room_for(std::size_t messages) const;
    aio::awaitable<std::optional<event>> begin_compaction(
        todo::ask then, std::optional<model::failure> refused);
    [[nodiscard]] model::request compaction_request(const compacting& how) const;
    // The reply to it has come, or none has.
    aio::awaitable<std::optional<event>> compacted(model::outcome outcome);
    aio::awaitable<> adopt(const compacting& how, steps::summary_reply made, std::string first);
    aio::awaitable<std::optional<event>> not_compacted(
        compacting how, std::optional<steps::summary_reply> made, std::string reason);
    // Why the reply, with which the epoch would begin with `first`, is of no use; empty: it is.
    [[nodiscard]] std::string problem_of(
        const model::reply& summary, const std::string& first) const;
    [[nodiscard]] std::string new_beginning(const model::reply& summary) const;
    // True: its real size has to be asked for before it is decided by a guess.
    [[nodiscard]] bool is_window_guessed() const;
    aio::awaitable<> ask_for_window(std::uint64_t step, std::string model);
    // The answer, or that there is none.
    aio::awaitable<std::optional<event>> window_told(std::optional<std::int64_t> tokens);

    // --- the tools
    // Starts what may start now; tools_done when nothing is left.
    aio::awaitable<std::optional<event>> start_calls();
    aio::awaitable<> run_call(std::uint64_t step, std::size_t number);
    aio::awaitable<tools::answer> answer_to(std::size_t number);
    aio::awaitable<> finish_call(
        std::size_t number, tools::answer answer, std::chrono::milliseconds wall);
    // Answers every call that has none, without running it.
    aio::awaitable<> refuse_open_calls(std::string reason);
    void collect_results();

    // --- the end
    aio::awaitable<> stop_running(std::string reason);
    aio::awaitable<> wait_window(std::uint64_t step);
    aio::awaitable<> watch_time(std::chrono::milliseconds left);
    aio::awaitable<> wait_for_place(std::uint64_t step);
    aio::awaitable<> fetch_news();
    // What stands in the place of a message that the model refused to read: answers to its
    // calls, the summary that the epoch begins with.
    [[nodiscard]] std::string replacement_of_refused() const;
    // The end of a task whose own state is broken; logged.
    std::optional<event> internal_error(std::string text);
    aio::awaitable<> give_up(std::string text);
    [[nodiscard]] std::chrono::milliseconds elapsed() const;

    session& owner_;
    environment& shared_;
    std::shared_ptr<const settings> settings_;
    steps::opened_task opened_;
    store::tasks::row& task_; // of opened_
    scheduler::place place_;
    base::mono_time began_ = base::mono_now();
    bool prompt_told_ = false;
    base::task_id last_task_; // whose the last message is
    history history_;
    agent_loop loop_;
    context_window window_;
    bool window_asked_ = false;
    todo::ask due_; // what waits for the window's size
    std::optional<compacting> compacting_;
    std::vector<steps::waiting_news> carried_; // by the message that is being put together
    bool sealed_ = false;                      // its element cannot be extended
    std::uint64_t step_ = 0;                   // raised whenever what runs becomes stale

    std::optional<tools::workspace> files_;
    jobs::foreground commands_;
    std::optional<tools::context> context_;

    // The reply being worked off.
    struct call_in_work {
        store::calls::row row;
        tools::call what;
        bool runnable = true; // its input arrived whole
        std::string problem;  // else: what is wrong with it
    };
    std::vector<call_in_work> calls_;
    std::optional<tools::call_plan> plan_;
    std::vector<std::size_t> startable_; // stored as started, not yet running
    bool got_on_ = false;                // all calls of the last reply have ended here
    std::string stop_text_;              // what a call that is being cancelled answers

    // Last: their coroutines use all the others.
    aio::task asking_; // the model, for its window, or for a place
    aio::task_group running_calls_;
    aio::task_group timers_;
};

} // namespace agentd::session
