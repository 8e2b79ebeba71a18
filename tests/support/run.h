// Runs a coroutine to its end on a loop of its own with the real clock, for tests of what lives in real time (sockets,
// child processes). For what waits by the clock use a JumpingClock and Loop::Advance.
#pragma once

#include <optional>

#include "core/async/loop.h"
#include "core/async/task_group.h"

namespace pipewarden::test {

struct RealLoop {
  core::SystemClock clock;
  core::Loop loop{clock, core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt), 2};

  template <class T>
  T Run(core::Task<T> task) {
    std::optional<T> result;
    core::TaskGroup group(loop);
    group.Spawn("test", Store(*this, std::move(task), result));
    Finish(group);
    return std::move(*result);
  }
  void Run(core::Task<void> task) {
    core::TaskGroup group(loop);
    group.Spawn("test", Void(*this, std::move(task)));
    Finish(group);
  }

 private:
  void Finish(core::TaskGroup& group) {
    loop.Run();
    while (group.size() > 0) {  // the task's end is a turn of its own
      loop.Post([this] { loop.Stop(); });
      loop.Run();
    }
  }
  struct StopAtEnd {
    core::Loop& loop;
    ~StopAtEnd() { loop.Stop(); }
  };
  template <class T>
  static core::Task<void> Store(RealLoop& self, core::Task<T> task, std::optional<T>& result) {
    const StopAtEnd stop{self.loop};
    result.emplace(co_await std::move(task));
  }
  static core::Task<void> Void(RealLoop& self, core::Task<void> task) {
    const StopAtEnd stop{self.loop};
    co_await std::move(task);
  }
};

}  // namespace pipewarden::test
