// The Unix socket's file: where it is, and who may take it.
#pragma once

#include <string>
#include <utility>

#include "core/result.h"

namespace pipewarden::agent {

// <storage_path>/pipewarden.sock. kInvalid where it is longer than the system takes.
core::Result<std::string> SocketPath(const std::string& storage_path);

// A folder that nobody else may enter, for as long as it lives.
class PrivateFolder {
 public:
  static core::Result<PrivateFolder> Make(const std::string& parent);
  PrivateFolder(PrivateFolder&& other) noexcept
      : path_(std::exchange(other.path_, {})), descriptor_(std::exchange(other.descriptor_, -1)) {}
  PrivateFolder& operator=(PrivateFolder&&) = delete;
  ~PrivateFolder();

  // A short path to a file in it: /proc/self/fd/<n>/<name>.
  std::string PathByDescriptor(const std::string& name) const;
  // Gives the file its mode and its place outside, over what is there.
  core::Result<void> MoveOut(const std::string& name, const std::string& to, unsigned mode) const;

 private:
  PrivateFolder(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  std::string path_;
  int descriptor_;
};

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
