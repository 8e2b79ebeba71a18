// std::mutex with clang's thread-safety annotations (libstdc++'s has none): what is GUARDED_BY a Mutex and touched
// without it does not compile. Only what crosses threads needs one; the loop's own state has no lock.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#define PW_CAPABILITY(x) __attribute__((capability(x)))
#define PW_SCOPED_CAPABILITY __attribute__((scoped_lockable))
#define GUARDED_BY(x) __attribute__((guarded_by(x)))
#define REQUIRES(...) __attribute__((requires_capability(__VA_ARGS__)))
#define EXCLUDES(...) __attribute__((locks_excluded(__VA_ARGS__)))
#define PW_ACQUIRE(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define PW_RELEASE(...) __attribute__((release_capability(__VA_ARGS__)))
#define PW_NO_ANALYSIS __attribute__((no_thread_safety_analysis))

namespace pipewarden::core {

class PW_CAPABILITY("mutex") Mutex {
 public:
  void Lock() PW_ACQUIRE() { mutex_.lock(); }
  void Unlock() PW_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class PW_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) PW_ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() PW_RELEASE() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

class CondVar {
 public:
  // The caller holds the mutex; spurious wake-ups happen, so wait in a loop on the condition.
  void Wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // False when the time has passed.
  template <class Rep, class Period>
  bool WaitFor(Mutex& mutex, std::chrono::duration<Rep, Period> timeout) REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const bool notified = condition_.wait_for(lock, timeout) == std::cv_status::no_timeout;
    lock.release();
    return notified;
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace pipewarden::core
