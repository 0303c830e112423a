// Certificates made for one test: a CA and a server's certificate signed by it.
#pragma once

#include <string>

namespace agentd::testing {

struct certificate_wish {
    std::string names = "DNS:localhost,IP:127.0.0.1"; // subjectAltName
    bool expired = false;
};

// PEM texts.
struct certificate {
    std::string ca;
    std::string chain; // the server's own
    std::string key;
};

[[nodiscard]] certificate make_certificate(const certificate_wish& wish = {});

} // namespace agentd::testing
