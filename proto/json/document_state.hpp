// What a document owns; private to proto/json.
#pragma once

#include "proto/json/reader.hpp"

#include <string>

namespace agentd::proto::json {

struct document::state {
    std::string bytes; // all raw views point in here
    value root;
};

} // namespace agentd::proto::json
