// Beast's implementation, compiled once for the whole program. No thread of its own.
//
// Without its assertions: one of its HTTP parser is wrong and would end the program when an
// empty chunked body comes in pieces, "0\r\n" and "\r\n". Without it the parser does right.
// https://github.com/boostorg/beast/pull/2861 (mended in Boost 1.86)
#define BOOST_DISABLE_ASSERTS
#include <boost/beast/src.hpp>
