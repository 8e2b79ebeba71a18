// The body of WithTimeout (core/async/loop.h), apart because it needs the whole of Asio's operators.
#pragma once

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <exception>

#include "core/async/exceptions.h"
#include "core/async/loop.h"
#include "core/time/duration.h"

namespace pipewarden::core {

namespace internal {
// A race of Asio's operator|| goes on where one side throws; this side ends instead.
template <class T>
Task<Result<T>> KeepException(Task<Result<T>> task, std::exception_ptr* thrown) {
  Result<T> result = Fail(ErrorCode::kInternal, "");
  try {
    result = co_await std::move(task);
  } catch (...) {
    *thrown = std::current_exception();
    if (IsCancellation(*thrown)) throw;
  }
  co_return result;
}
}  // namespace internal

template <class T>
Task<Result<T>> WithTimeout(Loop& loop, Duration limit, Task<Result<T>> task) {
  using namespace boost::asio::experimental::awaitable_operators;  // NOLINT: the operators live there
  std::exception_ptr thrown;
  auto outcome = co_await (internal::KeepException<T>(std::move(task), &thrown) ||
                           loop.WaitUntil(loop.clock().Monotonic() + limit));
  if (outcome.index() == 0) {
    if (thrown) std::rethrow_exception(thrown);
    co_return std::move(std::get<0>(outcome));
  }
  if (!std::get<1>(outcome)) throw boost::system::system_error(boost::asio::error::operation_aborted);  // both were
  Result<T> timed_out = Fail(ErrorCode::kTimeout, "timed out after " + FormatDuration(limit));
  co_return timed_out;
}

}  // namespace pipewarden::core
