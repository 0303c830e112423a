#include "tests/system/wire.hpp"

#include <fmt/format.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <utility>

namespace agentd::testing {
namespace {

byte_server::script in_turn(std::vector<answer> answers)
{
    auto next = std::make_shared<std::atomic<std::size_t>>(0);
    return [answers = std::move(answers), next](peer& with) {
        while (!with.read_request().empty()) {
            const auto number = next->fetch_add(1);
            if (number >= answers.size())
                return;
            answers[number](with);
        }
    };
}

std::string in_file(const scratch_folder& folder, const std::string& content)
{
    auto path = folder / "ca.pem";
    write_file(path, content);
    return path;
}

std::string blocks_in(std::string_view role, const std::vector<std::string>& blocks)
{
    return fmt::format(R"({{"role":"{}","content":[{}]}})", role, in_order(blocks));
}

} // namespace

answer says(std::string stream)
{
    return [bytes = streamed(stream)](peer& with) { with.send(bytes); };
}

wired::wired(std::vector<answer> answers, std::string config)
    : made_(make_certificate()),
      server_({in_turn(std::move(answers))}, made_),
      agent_({.config = std::move(config),
          .model_url = server_.url("localhost"),
          .ca_file = in_file(files_, made_.ca)})
{}

boost::json::object wired::run(std::string_view prompt, boost::json::object more)
{
    return agent_.ended(agent_.submit(prompt, std::move(more)));
}

boost::json::object wired::run_after(const boost::json::object& task, std::string_view prompt)
{
    return run(prompt, {{"session_id", task.at("session_id")}});
}

std::vector<std::string> wired::bodies() const
{
    std::vector<std::string> all;
    for (const auto& request : server_.requests())
        all.push_back(unmarked(request.substr(request.find("\r\n\r\n") + 4)));
    return all;
}

std::string wired::messages(std::size_t number) const
{
    constexpr std::string_view opening = R"("messages":[)";
    const auto body = bodies().at(number);
    const auto begin = body.find(opening) + opening.size();
    return body.substr(begin, body.size() - begin - 2);
}

bool wired::has_file(const std::string& name) const
{
    return std::filesystem::exists(agent_.workspace() + "/" + name);
}

std::string unmarked(std::string body)
{
    constexpr std::string_view mark = R"(,"cache_control":{"type":"ephemeral"})";
    for (auto at = body.find(mark); at != std::string::npos; at = body.find(mark, at))
        body.erase(at, mark.size());
    return body;
}

std::string user(const std::vector<std::string>& blocks)
{
    return blocks_in("user", blocks);
}

std::string assistant(const std::vector<std::string>& blocks)
{
    return blocks_in("assistant", blocks);
}

std::string text(std::string_view spelt)
{
    return fmt::format(R"({{"type":"text","text":"{}"}})", spelt);
}

std::string call(std::string_view id, std::string_view tool, std::string_view input)
{
    return fmt::format(
        R"({{"type":"tool_use","id":"{}","name":"{}","input":{}}})", id, tool, input);
}

std::string result(
    std::string_view id, std::string_view spelt, const std::vector<std::string>& more)
{
    std::vector<std::string> content{text(spelt)};
    content.insert(content.end(), more.begin(), more.end());
    return fmt::format(
        R"({{"type":"tool_result","tool_use_id":"{}","content":[{}]}})", id, in_order(content));
}

std::string failed(std::string_view id, std::string_view spelt)
{
    return fmt::format(
        R"({{"type":"tool_result","tool_use_id":"{}","content":[{}],"is_error":true}})", id,
        text(spelt));
}

std::string in_order(const std::vector<std::string>& messages)
{
    std::string all;
    for (const auto& one : messages)
        all.append(all.empty() ? "" : ",").append(one);
    return all;
}

std::vector<std::string> text_events(int index, std::string_view text)
{
    return {text_start(index), text_delta(index, text), block_stop(index)};
}

std::vector<std::string> call_events(
    int index, std::string_view id, std::string_view tool, std::string_view input)
{
    return {tool_start(index, id, tool), input_delta(index, input), block_stop(index)};
}

std::string stream_of_blocks(
    const std::vector<std::vector<std::string>>& blocks, std::string_view stop_reason)
{
    std::vector<std::string> events;
    for (const auto& block : blocks)
        events.insert(events.end(), block.begin(), block.end());
    return stream_of(std::move(events), stop_reason);
}

answer ends_with(std::string_view text)
{
    return says(stream_of_blocks({text_events(0, text)}, "end_turn"));
}

} // namespace agentd::testing
