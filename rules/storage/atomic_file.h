// A file that appears whole or not at all: written under a temporary name, synced to disk, renamed.
// One thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace pipewarden::rules {

class AtomicFile {
 public:
  explicit AtomicFile(std::string path) : path_(std::move(path)) {}
  ~AtomicFile();  // removes the temporary file if Commit was not reached
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // Collects, and writes a megabyte at a time. The first failure is kept and told by Commit.
  void Write(std::string_view bytes);
  std::uint64_t size() const { return size_; }
  core::Result<void> Commit();

 private:
  void Flush();

  std::string path_;
  std::string buffer_;
  std::uint64_t size_ = 0;
  int descriptor_ = -1;
  int error_ = 0;
};

// Renames a file that does not read back to <path>.corrupt, so that it is out of the way and can be looked at. Returns
// the new name.
std::string SetAside(const std::string& path);

}  // namespace pipewarden::rules
