#include "core/store/file_operations.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

namespace pipewarden::core {

Result<void> MakePrivateFolder(const std::string& path) {
  std::filesystem::path folder;
  for (const std::filesystem::path& part : std::filesystem::path(path)) {
    folder /= part;
    if (::mkdir(folder.c_str(), 0700) == 0) continue;
    const int number = errno;
    std::error_code none;
    if (!std::filesystem::is_directory(folder, none)) return Fail(SystemError("make the folder " + path, number));
  }
  return {};
}

}  // namespace pipewarden::core
