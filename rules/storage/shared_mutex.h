// A readers-writer lock that lets a waiting writer in before new readers, with clang's thread-safety annotations.
// (glibc's default, which std::shared_mutex uses, prefers readers: many queries would keep the rules thread from
// appending.) A reader must not lock it a second time.
#pragma once

#include <pthread.h>

#include "core/async/mutex.h"

#define PW_SHARED_ACQUIRE(...) __attribute__((acquire_shared_capability(__VA_ARGS__)))
#define PW_SHARED_RELEASE(...) __attribute__((release_shared_capability(__VA_ARGS__)))
#define PW_GENERIC_RELEASE(...) __attribute__((release_generic_capability(__VA_ARGS__)))
#define REQUIRES_SHARED(...) __attribute__((requires_shared_capability(__VA_ARGS__)))

namespace pipewarden::rules {

class PW_CAPABILITY("mutex") SharedMutex {
 public:
  SharedMutex() {
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&lock_, &attributes);
    pthread_rwlockattr_destroy(&attributes);
  }
  ~SharedMutex() { pthread_rwlock_destroy(&lock_); }
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  void Lock() PW_ACQUIRE() { pthread_rwlock_wrlock(&lock_); }
  void Unlock() PW_RELEASE() { pthread_rwlock_unlock(&lock_); }
  void LockShared() PW_SHARED_ACQUIRE() { pthread_rwlock_rdlock(&lock_); }
  void UnlockShared() PW_SHARED_RELEASE() { pthread_rwlock_unlock(&lock_); }

 private:
  pthread_rwlock_t lock_;
};

class PW_SCOPED_CAPABILITY WriterLock {
 public:
  explicit WriterLock(SharedMutex& mutex) PW_ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~WriterLock() PW_RELEASE() { mutex_.Unlock(); }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  SharedMutex& mutex_;
};

class PW_SCOPED_CAPABILITY ReaderLock {
 public:
  explicit ReaderLock(SharedMutex& mutex) PW_SHARED_ACQUIRE(mutex) : mutex_(mutex) { mutex_.LockShared(); }
  ~ReaderLock() PW_GENERIC_RELEASE() { mutex_.UnlockShared(); }
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;

 private:
  SharedMutex& mutex_;
};

}  // namespace pipewarden::rules
