// The file operations by which a store changes what is on the disk: a seam, so that tests can make each of them fail or
// be the last one before a kill. Reading needs none. As the system calls: -1 and errno on failure. Stateless; any
// thread.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "core/result.h"

namespace pipewarden::core {

class FileOperations {
 public:
  virtual ~FileOperations() = default;
  virtual int Open(const std::string& path, int flags) { return ::open(path.c_str(), flags | O_CLOEXEC, 0600); }
  virtual ssize_t Write(int fd, const void* data, std::size_t size) { return ::write(fd, data, size); }
  virtual int Truncate(int fd, off_t size) { return ::ftruncate(fd, size); }
  virtual int Sync(int fd) { return ::fsync(fd); }
  virtual int Rename(const std::string& from, const std::string& to) { return ::rename(from.c_str(), to.c_str()); }
  virtual int Unlink(const std::string& path) { return ::unlink(path.c_str()); }
  void Close(int fd) { ::close(fd); }

  static FileOperations& Real() {
    static FileOperations real;  // no state
    return real;
  }
};

// Makes a folder that only the agent's user may enter (0700), and the parents it misses; what is there already stays as
// it is. Modes are given with each file and folder rather than by a umask, which the steps would inherit.
Result<void> MakePrivateFolder(const std::string& path);

}  // namespace pipewarden::core
