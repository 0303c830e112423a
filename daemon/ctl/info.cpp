// About the daemon itself: info, health.
#include "ctl/commands.hpp"

namespace agentd::ctl {
namespace {

done print_answer(context& with, std::string path)
{
    http_request ask;
    ask.target = std::move(path);
    auto answer = co_await with.daemon.ask(std::move(ask));
    if (!answer)
        co_return std::unexpected(std::move(answer).error());
    if (with.json)
        with.term.raw(std::string{answer->root().raw()} + "\n");
    else
        print_object(with.term, answer->root());
    co_return base::result<>{};
}

} // namespace

done execute(context& with, info_verb)
{
    std::string path{"/v1/info"};
    co_return co_await print_answer(with, std::move(path));
}

done execute(context& with, health_verb)
{
    std::string path{"/v1/health"};
    co_return co_await print_answer(with, std::move(path));
}

} // namespace agentd::ctl
