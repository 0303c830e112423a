#include "base/ids.hpp"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <exception>

namespace agentd::base {
namespace {

constexpr std::size_t id_digits = 10; // 50 bits: DESIGN "t_ / s_ and 10 characters"
constexpr std::size_t job_digits = 8;

std::string random_text(std::size_t digits, std::string_view alphabet)
{
    std::string text(digits, '\0');
    std::size_t have = 0;
    while (have < digits) {
        const auto got = ::getrandom(text.data() + have, digits - have, 0);
        if (got < 0 && errno != EINTR)
            std::terminate(); // no kernel that agentd runs on is without getrandom
        if (got > 0)
            have += static_cast<std::size_t>(got);
    }
    // Both alphabets have a power of two letters, so the remainder is even.
    for (char& c : text)
        c = alphabet[static_cast<unsigned char>(c) % alphabet.size()];
    return text;
}

} // namespace

std::string random_base32(std::size_t digits)
{
    return random_text(digits, "abcdefghijklmnopqrstuvwxyz234567");
}

std::string random_hex(std::size_t digits)
{
    return random_text(digits, "0123456789abcdef");
}

task_id new_task_id()
{
    return task_id{"t_" + random_base32(id_digits)};
}

session_id new_session_id()
{
    return session_id{"s_" + random_base32(id_digits)};
}

job_id new_job_id()
{
    return job_id{random_hex(job_digits)};
}

} // namespace agentd::base
