#include "store/reserve.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace agentd::store {
namespace {

constexpr off_t bytes = 4 << 20; // the ends of some hundred tasks and jobs

} // namespace

reserve::reserve(const std::string& file)
    : file_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600))
{}

bool reserve::take()
{
    if (!file_)
        return true; // nothing can be told by it
    if (::posix_fallocate(file_.get(), 0, bytes) == 0)
        return true;
    give_back(); // what there was of it
    return false;
}

void reserve::give_back()
{
    if (file_)
        static_cast<void>(::ftruncate(file_.get(), 0)); // refused: it is not there to be given
}

} // namespace agentd::store
