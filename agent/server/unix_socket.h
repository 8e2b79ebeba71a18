// The Unix socket's file: where it is, and who may take it.
#pragma once

#include <string>
#include <utility>

#include "core/result.h"

namespace pipewarden::agent {

// <storage_path>/pipewarden.sock. kInvalid where it is longer than the system (and civetweb) takes, or holds a comma,
// which separates addresses there.
core::Result<std::string> SocketPath(const std::string& storage_path);

// Holds <storage_path>/pipewarden.lock for as long as it lives, so that a socket file that is there is stale (its agent
// was killed) and may be removed.
class StorageLock {
 public:
  // kDenied: another process holds it. The stale socket is gone afterwards.
  static core::Result<StorageLock> Take(const std::string& storage_path, const std::string& socket_path);
  StorageLock(StorageLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  StorageLock& operator=(StorageLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~StorageLock();

 private:
  explicit StorageLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace pipewarden::agent
