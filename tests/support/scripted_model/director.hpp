// Decides what each request is answered with: checks it, finds its conversation, walks the
// script one step. No I/O but the record; the connection carries the decision out.
// Thread-safe: a mutex for the table of conversations, one for each conversation, none held
// across a wait. Conversations are bounded by `most_conversations`.
#pragma once

#include "history_check.hpp"
#include "http_request.hpp"
#include "recorder.hpp"
#include "scenario.hpp"
#include "substitute.hpp"
#include "wire_plan.hpp"

#include <boost/json/object.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace agentd::testing {

/// How the server judges requests.
struct director_options {
    std::string key;        ///< the only credential accepted; "" = any
    bool validate = true;   ///< false: benchmarks; only the script is followed
    std::uint64_t seed = 0; ///< of the ids made
};

/// One conversation: a place in a script, and what was said last. Locked by its own mutex.
struct conversation {
    std::mutex mutex;
    std::string id;
    std::string prompt;
    const script* walks = nullptr;
    variables known;
    std::size_t step = 0;
    std::size_t times_used = 0; ///< of the current step
    std::size_t requests = 0;   ///< that were valid
    sent_history history;
    last_answer answer;
    bool paused = false;                     ///< the last complete reply was a pause_turn
    std::atomic<bool> ever_answered = false; ///< read without the mutex, like the next
    std::atomic<bool> answered_now = false;  ///< the last request got a complete reply
};

/// The answer to one request. Give it back to `replied` when it was written.
struct verdict {
    wire_plan wire;
    std::uint64_t record = 0;
    std::shared_ptr<conversation> talk; ///< null: the reply belongs to no conversation
    std::uint64_t turn = 0;             ///< number of the request within it
    last_answer answer;                 ///< what the client knows once it was written whole
    bool pauses = false;                ///< the reply is a pause_turn
};

/// How the writing of a reply ended.
enum class reply_end {
    whole,
    cut,           ///< by the script
    client_closed, ///< before the last event
    unended,       ///< all events went out, the end of the body did not
};

class director {
public:
    /// `plan` and `records` must outlive the director.
    director(const scenario& plan, director_options options, recorder& records);

    /// The answer to any request of the API.
    verdict decide(const http_request& request);
    /// The answer to a request whose body is too large to be read.
    verdict too_large(const http_request& head);
    /// The bytes that complete the reply are about to go out: the client may know it before
    /// their writing has returned, and ask again on another connection.
    void completing(const verdict& given);
    /// The reply was written, or not.
    void replied(const verdict& given, reply_end end);

    [[nodiscard]] std::size_t conversations() const;

private:
    struct judged; // a request on its way through the checks

    void route(judged& at);
    void check_post(judged& at);
    void answer_messages(judged& at);
    void answer_count(judged& at);
    void answer_models(judged& at);
    void walk(judged& at);
    void take_step(judged& at, const step& now, std::size_t index);
    const step* step_for(judged& at, std::size_t& index);
    std::shared_ptr<conversation> conversation_of(judged& at);
    std::shared_ptr<conversation> known_conversation(const std::vector<std::string>& texts);
    static void note(const verdict& given, const last_answer& answer);
    void refuse(judged& at, int status, std::string why, std::string_view outcome);

    const scenario& plan_;
    const director_options options_;
    recorder& records_;
    id_source ids_;
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<conversation>, std::less<>> conversations_;
    std::size_t begun_ = 0;
};

} // namespace agentd::testing
