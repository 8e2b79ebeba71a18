#include "core/result.h"

#include <cerrno>
#include <system_error>

namespace pipewarden::core {

Error Error::Within(std::string_view doing) const { return {code, std::string(doing) + ": " + message}; }

Error SystemError(std::string_view doing, int number) {
  ErrorCode code = ErrorCode::kInternal;
  if (number == ENOENT) code = ErrorCode::kNotFound;
  if (number == EACCES || number == EPERM) code = ErrorCode::kDenied;
  if (number == ETIMEDOUT) code = ErrorCode::kTimeout;
  if (number == ECONNREFUSED || number == ECONNRESET || number == EHOSTUNREACH || number == ENETUNREACH ||
      number == EAGAIN)
    code = ErrorCode::kUnavailable;
  return {code, std::string(doing) + ": " + std::generic_category().message(number)};
}

}  // namespace pipewarden::core
