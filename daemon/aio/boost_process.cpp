// Process v2's implementation, compiled once for the whole program. The order matters: its
// sources use names of these headers without including them (Boost 1.81).
// clang-format off
#include <boost/asio.hpp>
#include <boost/optional.hpp>
#include <boost/type_traits.hpp>

#include <boost/process/v2/src.hpp>
// clang-format on
