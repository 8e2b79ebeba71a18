// The body of WithTimeout (core/async/loop.h), apart because it needs the whole of Asio's operators.
#pragma once

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "core/async/loop.h"
#include "core/time/duration.h"

namespace pipewarden::core {

template <class T>
Task<Result<T>> WithTimeout(Loop& loop, Duration limit, Task<Result<T>> task) {
  using namespace boost::asio::experimental::awaitable_operators;  // NOLINT: the operators live there
  auto outcome = co_await (std::move(task) || loop.Sleep(limit));
  if (outcome.index() == 0) co_return std::move(std::get<0>(outcome));
  Result<T> timed_out = Fail(ErrorCode::kTimeout, "timed out after " + FormatDuration(limit));
  co_return timed_out;
}

}  // namespace pipewarden::core
