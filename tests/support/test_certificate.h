// A self-made certificate for tests of TLS.
#pragma once

#include <chrono>
#include <string>

#include "tests/support/temp_folder.h"

namespace pipewarden::test {

// For localhost and 127.0.0.1, or for another name, with its key, as PEM files in a folder of its own.
struct TestCertificate {
  explicit TestCertificate(std::chrono::seconds valid_for = std::chrono::hours(24), std::string name = "localhost");
  TempFolder folder;
  std::string cert_file, key_file;
  std::string name;
  std::chrono::system_clock::time_point expiry;
};

}  // namespace pipewarden::test
