// While one lives, no file of this process grows beyond so many bytes: a write then fails, as on a full disk.
#pragma once

#include <sys/resource.h>

#include <boost/test/unit_test.hpp>
#include <csignal>

namespace pipewarden::test {

class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    BOOST_REQUIRE(getrlimit(RLIMIT_FSIZE, &before_) == 0);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit low{bytes, before_.rlim_max};
    BOOST_REQUIRE(setrlimit(RLIMIT_FSIZE, &low) == 0);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

}  // namespace pipewarden::test
