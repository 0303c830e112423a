// One piece of work on its way to the store's threads and back. Between the caller's
// coroutine and the store; used by store.hpp alone.
#pragma once

#include "base/error.hpp"

#include <type_traits>

namespace agentd::store {

class connection;

// What write() and read() give for a work: T and result<T> alike become result<T>.
template <class T>
struct flat_result {
    using type = base::result<T>;
};
template <class T>
struct flat_result<base::result<T>> {
    using type = base::result<T>;
};
template <class Work>
using work_result = typename flat_result<std::invoke_result_t<Work&, connection&>>::type;

class unit_of_work {
public:
    virtual ~unit_of_work() = default;
    // On the store's thread, inside the transaction: false when it is to be rolled back. Lets
    // sqlite_error (see connection.hpp) through.
    virtual bool run(connection& db) = 0;
    // After the commit, or after the failure that undid it: hands the outcome to the caller.
    virtual void complete() = 0;
    virtual void fail(base::error why) = 0;
};

} // namespace agentd::store
