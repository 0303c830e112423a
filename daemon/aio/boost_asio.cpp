// Asio's implementation, compiled once for the whole program. No thread of its own.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
