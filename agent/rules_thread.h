// The rules thread: one worker that owns the storage's writing side. Ticks, scraped batches and reloads of rules reach
// it as pieces of work, in order. With a jumping clock time stands still while work is queued. An exception that leaves
// a piece of work ends the process (core/async/exceptions.h).
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <utility>

#include "core/async/loop.h"
#include "core/async/mutex.h"

namespace pipewarden::agent {

class RulesThread {
 public:
  explicit RulesThread(core::Loop& loop, std::size_t max_queue = 64);
  ~RulesThread() { Stop(); }
  RulesThread(const RulesThread&) = delete;
  RulesThread& operator=(const RulesThread&) = delete;

  // Any thread. False when the queue is full, or after Stop: the work is dropped.
  bool Post(std::move_only_function<void()> work) EXCLUDES(mutex_);
  // Loop thread: runs the work there and resumes here when it has ended, or at once where it was dropped.
  core::Task<void> Run(std::move_only_function<void()> work);
  // Finishes what is queued and joins.
  void Stop() EXCLUDES(mutex_);

 private:
  struct Item {
    std::move_only_function<void()> work;
    core::Loop::Busy hold;
  };
  void Work() EXCLUDES(mutex_);
  void RunOne(std::move_only_function<void()>& work);

  core::Loop& loop_;
  const std::size_t max_queue_;
  core::Mutex mutex_;
  core::CondVar changed_;
  std::deque<Item> queue_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace pipewarden::agent
