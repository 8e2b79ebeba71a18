// For tests of what ends the process: runs `f` in a child of its own, and gives how that ended and what it wrote to
// standard error. No other thread may run, since the child has only the one that asks.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace pipewarden::test {

struct Ending {
  int exit_code = -1;  // -1 where a signal ended it
  std::string said;
};

template <class F>
Ending RunToItsEnd(F f) {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    f();
    ::_exit(0);
  }
  ::close(ends[1]);
  Ending ending;
  char buffer[4096];
  for (ssize_t size = 0; (size = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    ending.said.append(buffer, static_cast<std::size_t>(size));
  ::close(ends[0]);
  int status = 0;
  if (::waitpid(child, &status, 0) == child && WIFEXITED(status)) ending.exit_code = WEXITSTATUS(status);
  return ending;
}

}  // namespace pipewarden::test
