// Where published conformance data lies: $PIPEWARDEN_CONFORMANCE, else ../shared/conformance beside the repository.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace pipewarden::test {

// "" (and says so) where the file or folder is not there: the test is then skipped.
inline std::string ConformancePath(const std::string& name) {
  const char* variable = std::getenv("PIPEWARDEN_CONFORMANCE");
  const std::string root =
      variable != nullptr ? std::string(variable) : std::string(PIPEWARDEN_SOURCE_DIR) + "/../shared/conformance";
  if (std::filesystem::exists(root + "/" + name)) return root + "/" + name;
  std::printf("skipped: no ../shared/conformance (%s)\n", name.c_str());
  return "";
}

}  // namespace pipewarden::test
