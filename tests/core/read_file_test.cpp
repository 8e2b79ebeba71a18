#include "core/read_file.h"

#include <boost/test/unit_test.hpp>

#include "tests/support/temp_folder.h"

namespace pipewarden::core {
namespace {

struct Fixture {
  test::TempFolder folder;
  std::string Write(const std::string& text) const {
    folder.Write("file", text);
    return folder / "file";
  }
};

BOOST_FIXTURE_TEST_SUITE(read_file, Fixture)

BOOST_AUTO_TEST_CASE(whole_files_within_a_bound) {
  for (const std::size_t size : {0U, 1U, 4095U, 4096U, 4097U, 100'000U}) {
    const std::string text(size, 'x');
    const std::string path = Write(text);
    BOOST_TEST((ReadFile(path).value() == text), size);
    BOOST_TEST((ReadFile(path, size).value() == text), size);
    if (size > 0) BOOST_TEST((ReadFile(path, size - 1).error().code == ErrorCode::kLimit), size);
  }
  BOOST_TEST(ReadFile(Write(std::string(2049, 'x')), 2048).error().message.ends_with("/file is larger than 2 KiB"));
  BOOST_TEST(!ReadFile("/proc/self/status").value().empty());  // its size reads as zero
}

BOOST_AUTO_TEST_CASE(errors_name_the_file) {
  const auto absent = ReadFile("/nonexistent/file");
  BOOST_TEST((absent.error().code == ErrorCode::kNotFound));
  BOOST_TEST(absent.error().message == "open /nonexistent/file: No such file or directory");
  BOOST_TEST(ReadFile("/").error().message == "read /: Is a directory");
}

BOOST_AUTO_TEST_CASE(secrets_end_before_their_newlines) {
  BOOST_TEST(ReadSecretFile(Write("se cret \r\n\n")).value() == "se cret ");
  BOOST_TEST((ReadSecretFile(Write(std::string(70'000, 'x'))).error().code == ErrorCode::kLimit));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::core
