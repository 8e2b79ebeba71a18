#include "rules/storage/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace pipewarden::rules {
namespace {

constexpr std::size_t kFlushBytes = 1U << 20U;

std::string TemporaryName(const std::string& path) { return path + ".tmp"; }

// Without it a rename may be lost with the power. Its failure loses no more than that.
void SyncFolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(TemporaryName(path_).c_str());
}

void AtomicFile::Write(std::string_view bytes) {
  buffer_ += bytes;
  size_ += bytes.size();
  if (buffer_.size() >= kFlushBytes) Flush();
}

void AtomicFile::Flush() {
  if (error_ != 0) return;
  if (descriptor_ < 0) {
    descriptor_ = ::open(TemporaryName(path_).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (descriptor_ < 0) {
      error_ = errno;
      return;
    }
  }
  for (std::string_view rest = buffer_; !rest.empty();) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      error_ = errno;
      return;
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  buffer_.clear();
}

core::Result<void> AtomicFile::Commit() {
  Flush();
  if (error_ == 0 && ::fsync(descriptor_) != 0) error_ = errno;
  if (error_ == 0 && ::rename(TemporaryName(path_).c_str(), path_.c_str()) != 0) error_ = errno;
  if (error_ != 0) return core::Fail(core::SystemError("write " + path_, error_));
  ::close(descriptor_);
  descriptor_ = -1;
  SyncFolderOf(path_);
  return {};
}

std::string SetAside(const std::string& path) {
  std::string aside = path + ".corrupt";
  ::rename(path.c_str(), aside.c_str());
  return aside;
}

}  // namespace pipewarden::rules
