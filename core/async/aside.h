// Work that may hang for good, such as a look at a file system of others (NFS, FUSE) or at a name server: each Aside
// has a thread of its own while it works, so that what hangs holds up nothing else, neither commits of state nor the
// end of the process; the thread lingers for a second, for callers that poll. Such a thread cannot be joined; it is
// detached, owns all it touches, and its owner and the loop may be gone when it comes back.
//
// One call at a time: a call waits for the one before, also where that was given up. Loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <type_traits>

#include "core/async/loop.h"

namespace pipewarden::core {

class Aside {
 public:
  Aside();
  ~Aside();  // the loop lives still; a call under way does not matter
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;

  // Runs `work`, which gives a Result, and resumes with what it gives. After `limit` (real time, also where the loop's
  // clock jumps, and with the wait for the call before) the answer is kTimeout, and the work runs on alone. Cancellable
  // likewise. kUnavailable: no thread could be had. An exception of the work is rethrown here.
  template <class F>
  Task<std::invoke_result_t<F>> Run(Loop& loop, Duration limit, F work) {
    struct Call {
      F work;
      std::optional<std::invoke_result_t<F>> result;
    };
    auto call = std::make_shared<Call>(Call{std::move(work), std::nullopt});
    const Result<void> ran = co_await RunImpl(loop, limit, [call] { call->result.emplace(call->work()); });
    std::invoke_result_t<F> result = Fail(ErrorCode::kInternal, "");
    if (ran)
      result = std::move(*call->result);
    else
      result = Fail(ran.error());
    co_return result;
  }

 private:
  struct State;
  struct Call;
  struct Job;
  static Task<bool> Ended(Loop& loop, std::shared_ptr<Call> call, MonoTime until);
  Task<Result<void>> RunImpl(Loop& loop, Duration limit, std::function<void()> work);

  std::shared_ptr<State> state_;
};

}  // namespace pipewarden::core
