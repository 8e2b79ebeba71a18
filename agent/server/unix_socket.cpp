#include "agent/server/unix_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace pipewarden::agent {

using core::ErrorCode;
using core::Fail;

core::Result<std::string> SocketPath(const std::string& storage_path) {
  // sockaddr_un has 108 bytes with the closing NUL; civetweb marks the address by one more.
  constexpr std::size_t kLongest = 106;
  std::string path = storage_path + "/pipewarden.sock";
  if (path.size() > kLongest) {
    return Fail(ErrorCode::kInvalid, "the agent's Unix socket would be " + path + ", " + std::to_string(path.size()) +
                                         " bytes long; a socket's path may have " + std::to_string(kLongest) +
                                         ". Choose a shorter --storage.path.");
  }
  if (path.find(',') != std::string::npos) {
    return Fail(ErrorCode::kInvalid, "the agent's Unix socket would be " + path +
                                         "; a comma cannot be in its path. Choose another --storage.path.");
  }
  return path;
}

core::Result<StorageLock> StorageLock::Take(const std::string& storage_path, const std::string& socket_path) {
  std::error_code failed;
  std::filesystem::create_directories(storage_path, failed);
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
