#include "core/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace pipewarden::core {

Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes) {
  constexpr std::size_t kBlock = 4096;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Fail(SystemError("open " + path, errno));
  std::string text;
  // Sizes of files in /proc are zero, and any file may grow: the size is a hint.
  if (struct stat info{}; ::fstat(fd, &info) == 0 && info.st_size > 0)
    text.resize(std::min(static_cast<std::size_t>(info.st_size), max_bytes));
  std::size_t size = 0;
  int error = 0;
  for (;;) {
    if (size == text.size()) text.resize(size + kBlock);
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = errno;
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
    if (size > max_bytes) break;
  }
  ::close(fd);
  if (error != 0) return Fail(SystemError("read " + path, error));
  if (size > max_bytes) {
    const std::string limit = max_bytes % (1U << 20U) == 0 ? std::to_string(max_bytes >> 20U) + " MiB"
                              : max_bytes % 1024 == 0      ? std::to_string(max_bytes >> 10U) + " KiB"
                                                           : std::to_string(max_bytes) + " bytes";
    return Fail(ErrorCode::kLimit, path + " is larger than " + limit);
  }
  text.resize(size);
  return text;
}

Result<std::string> ReadSecretFile(const std::string& path) {
  Result<std::string> text = ReadFile(path, 64U << 10U);
  while (text && (text->ends_with('\n') || text->ends_with('\r'))) text->pop_back();
  return text;
}

}  // namespace pipewarden::core
