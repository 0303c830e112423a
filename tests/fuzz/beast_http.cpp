// Of Beast and Asio what reads HTTP and names errors, in place of daemon/aio/boost_*.cpp: all of
// both would take longer to compile than everything that is fuzzed. Without assertions, as there.
#define BOOST_DISABLE_ASSERTS
#define BOOST_BEAST_SOURCE // basic_parser.ipp then has its templates made
#include <boost/asio/impl/error.ipp>
#include <boost/beast/core/detail/impl/temporary_buffer.ipp>
#include <boost/beast/core/impl/error.ipp>
#include <boost/beast/core/impl/string.ipp>
#include <boost/beast/http/detail/basic_parser.ipp>
#include <boost/beast/http/detail/rfc7230.ipp>
#include <boost/beast/http/impl/basic_parser.ipp>
#include <boost/beast/http/impl/error.ipp>
#include <boost/beast/http/impl/field.ipp>
#include <boost/beast/http/impl/fields.ipp>
#include <boost/beast/http/impl/rfc7230.ipp>
#include <boost/beast/http/impl/status.ipp>
#include <boost/beast/http/impl/verb.ipp>
