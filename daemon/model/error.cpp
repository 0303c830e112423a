#include "model/error.hpp"

namespace agentd::model {

std::string_view error_text(errc value)
{
    switch (value) {
    case errc::bad_options: return "bad options";
    case errc::cannot_connect: return "cannot connect";
    case errc::tls_refused: return "TLS refused";
    case errc::timed_out: return "timed out";
    case errc::closed: return "connection closed";
    case errc::broken: return "connection broken";
    case errc::proxy_refused: return "refused by the proxy";
    case errc::bad_http: return "bad HTTP reply";
    }
    return "unknown model error";
}

} // namespace agentd::model
