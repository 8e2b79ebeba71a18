#include "agent/server/unix_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "core/store/file_operations.h"

namespace pipewarden::agent {

using core::ErrorCode;
using core::Fail;

core::Result<std::string> SocketPath(const std::string& storage_path) {
  constexpr std::size_t kLongest = 107;  // sockaddr_un has 108 bytes with the closing NUL, and clients connect to it
  std::string path = storage_path + "/pipewarden.sock";
  if (path.size() > kLongest) {
    return Fail(ErrorCode::kInvalid, "the agent's Unix socket would be " + path + ", " + std::to_string(path.size()) +
                                         " bytes long; a socket's path may have " + std::to_string(kLongest) +
                                         ". Choose a shorter --storage.path.");
  }
  return path;
}

core::Result<PrivateFolder> PrivateFolder::Make(const std::string& parent) {
  std::string path = parent + "/.socket-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) return Fail(core::SystemError("make a folder in " + parent, errno));
  const int descriptor = open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    const int number = errno;
    rmdir(path.c_str());
    return Fail(core::SystemError("open " + path, number));
  }
  return PrivateFolder(std::move(path), descriptor);
}

PrivateFolder::~PrivateFolder() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  rmdir(path_.c_str());
}

std::string PrivateFolder::PathByDescriptor(const std::string& name) const {
  return "/proc/self/fd/" + std::to_string(descriptor_) + "/" + name;
}

core::Result<void> PrivateFolder::MoveOut(const std::string& name, const std::string& to, unsigned mode) const {
  const std::string from = path_ + "/" + name;
  if (chmod(from.c_str(), mode) != 0) return Fail(core::SystemError("change the mode of " + from, errno));
  if (rename(from.c_str(), to.c_str()) != 0) return Fail(core::SystemError("make " + to, errno));
  return {};
}

core::Result<StorageLock> StorageLock::Take(const std::string& storage_path, const std::string& socket_path) {
  if (auto made = core::MakePrivateFolder(storage_path); !made) return Fail(made.error());
  const std::string path = storage_path + "/pipewarden.lock";
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return Fail(core::SystemError("open " + path, errno));
  StorageLock lock(descriptor);
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Fail(core::SystemError("lock " + path, errno));
    return Fail(ErrorCode::kDenied, "another agent runs on '" + storage_path +
                                        "' (it holds pipewarden.lock there). Stop it, or give another --storage.path.");
  }
  if (unlink(socket_path.c_str()) != 0 && errno != ENOENT) {
    return Fail(core::SystemError("remove the stale socket " + socket_path, errno));
  }
  return lock;
}

StorageLock::~StorageLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace pipewarden::agent
