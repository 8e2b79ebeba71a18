// Result<T>: how expected failures travel. Exceptions of third-party libraries stop in the file that calls the
// library and become an Error there; an exception that crosses a folder's border is a bug.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace pipewarden::core {

// Each code means another action of the caller.
enum class ErrorCode {
  kInvalid,      // the input is wrong: refuse it, keep what was, tell its author
  kNotFound,     // what was named does not exist
  kTimeout,      // a deadline passed: try again later
  kUnavailable,  // the other side does not answer or refuses for now: try again later
  kDenied,       // credentials or permissions: trying again does not help, a person must act
  kLimit,        // a bound of ours was hit: drop it and count it
  kCorrupt,      // stored data does not read back: set it aside and go on
  kInternal,     // our own error, or the machine's (disk full, no descriptors)
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // what failed, where, why, and what to do next; never a secret

  // Adds what this layer was doing in front: Error{"timed out after 5s"}.Within("probe 'billing'") reads
  // "probe 'billing': timed out after 5s".
  [[nodiscard]] Error Within(std::string_view doing) const;

  bool operator==(const Error&) const = default;
};

template <class T>
using Result = std::expected<T, Error>;

// return Fail(ErrorCode::kInvalid, "…");
[[nodiscard]] inline std::unexpected<Error> Fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}
[[nodiscard]] inline std::unexpected<Error> Fail(Error error) { return std::unexpected(std::move(error)); }

// The error of the last failed system call: "open /x: No such file or directory". `number` is an errno value.
[[nodiscard]] Error SystemError(std::string_view doing, int number);

}  // namespace pipewarden::core
