// Beast's implementation, compiled once for the whole program. No thread of its own.
#include <boost/beast/src.hpp>
