#include "app/process.hpp"

#include <openssl/crypto.h>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>

namespace agentd::app {

base::result<process_setup> prepare_process()
{
    ::umask(0077);
    // The thread that reads the certificates is not waited for at a stop (model/side_work): what
    // it uses must not be taken apart by OpenSSL's own handler while the process ends.
    if (::OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr) != 1)
        return std::unexpected(base::system_error("set up OpenSSL", ENOMEM));
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return std::unexpected(base::system_error("make the process not dumpable", errno));
    struct sigaction ignore{};
    ignore.sa_handler = SIG_IGN;
    for (const int number : {SIGPIPE, SIGXFSZ}) // both come as errors of the write
        if (::sigaction(number, &ignore, nullptr) != 0)
            return std::unexpected(base::system_error("ignore a signal", errno));
    rlimit descriptors{};
    if (::getrlimit(RLIMIT_NOFILE, &descriptors) != 0)
        return std::unexpected(base::system_error("read the descriptor limit", errno));
    process_setup out;
    out.soft_descriptors = descriptors.rlim_cur;
    descriptors.rlim_cur = descriptors.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &descriptors) != 0)
        return std::unexpected(base::system_error("raise the descriptor limit", errno));
    return out;
}

} // namespace agentd::app
