#include "core/async/exceptions.h"

#include <boost/asio/error.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/system/system_error.hpp>
#include <cstdlib>
#include <string>

namespace pipewarden::core {
namespace {

std::string Describe(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

}  // namespace

bool IsCancellation(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const boost::system::system_error& error) {
    return error.code() == boost::asio::error::operation_aborted;
  } catch (const boost::asio::multiple_exceptions& both) {  // of the two sides of an operator||
    return IsCancellation(both.first_exception());
  } catch (...) {
    return false;
  }
}

Error CaughtError() {
  const std::exception_ptr exception = std::current_exception();
  if (IsCancellation(exception)) std::rethrow_exception(exception);
  return {ErrorCode::kInternal, "internal error: " + Describe(exception)};
}

void Fatal(const Logger& logger, std::string_view where, const std::exception_ptr& exception) {
  logger.Error("internal error: the process ends, so that it is started anew; running steps go on",
               {{"where", std::string(where)}, {"error", Describe(exception)}});
  logger.Flush();
  std::_Exit(kFatalExitCode);
}

}  // namespace pipewarden::core
