// What becomes of exceptions, which are always a mistake of our own here (core/result.h). Where one thing of many can
// fail alone (a probe, a source, a receiver, a request) it becomes an Error by CaughtError. Anywhere else nobody could
// go on rightly: a task that is gone, or state half changed, would leave an agent that says it is ready and does half
// of its work. So the process ends by Fatal, and its supervisor starts it anew; that is a kill at any instruction,
// which everything stored is made for (docs/architecture.md, "What survives"). Safe from any thread.
#pragma once

#include <exception>
#include <string_view>

#include "core/logging.h"
#include "core/result.h"

namespace pipewarden::core {

inline constexpr int kFatalExitCode = 70;  // EX_SOFTWARE of sysexits(3)

// True for what a cancelled coroutine unwinds by.
bool IsCancellation(const std::exception_ptr& exception);

// Within a catch block: the exception as kInternal; a cancellation is thrown on.
Error CaughtError();

// Says where and why, and ends the process at once with kFatalExitCode; nothing is unwound.
[[noreturn]] void Fatal(const Logger& logger, std::string_view where, const std::exception_ptr& exception);

}  // namespace pipewarden::core
