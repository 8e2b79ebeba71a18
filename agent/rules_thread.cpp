#include "agent/rules_thread.h"

#include <pthread.h>

#include <boost/asio.hpp>

#include "core/async/exceptions.h"

namespace pipewarden::agent {

namespace asio = boost::asio;

RulesThread::RulesThread(core::Loop& loop, std::size_t max_queue)
    : loop_(loop), max_queue_(max_queue), thread_([this] { Work(); }) {
  pthread_setname_np(thread_.native_handle(), "rules");
}

bool RulesThread::Post(std::move_only_function<void()> work) {
  core::MutexLock lock(mutex_);
  if (stopping_ || queue_.size() >= max_queue_) return false;
  queue_.push_back({std::move(work), loop_.HoldTime()});
  changed_.NotifyOne();
  return true;
}

core::Task<void> RulesThread::Run(std::move_only_function<void()> work) {
  // Not cancellable: the work uses the caller's frame.
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      [&](auto handler) {
        auto resume = std::make_shared<decltype(handler)>(std::move(handler));
        const bool posted = Post([this, &work, resume] {
          RunOne(work);
          loop_.Post([resume] { (*resume)(); });
        });
        if (!posted) loop_.Post([resume] { (*resume)(); });
      },
      asio::use_awaitable);
}

void RulesThread::Stop() {
  {
    core::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyOne();
  }
  if (thread_.joinable()) thread_.join();
}

void RulesThread::RunOne(std::move_only_function<void()>& work) {
  try {
    work();
  } catch (...) {
    core::Fatal(loop_.logger(), "the rules thread", std::current_exception());
  }
}

void RulesThread::Work() {
  mutex_.Lock();
  for (;;) {
    while (queue_.empty() && !stopping_) changed_.Wait(mutex_);
    if (queue_.empty()) break;
    {
      Item item = std::move(queue_.front());
      queue_.pop_front();
      mutex_.Unlock();
      RunOne(item.work);
    }  // lets time go on only after the work is done
    mutex_.Lock();
  }
  mutex_.Unlock();
}

}  // namespace pipewarden::agent
