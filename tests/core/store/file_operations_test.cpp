#include "core/store/file_operations.h"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>

#include "tests/support/temp_folder.h"

namespace pipewarden::core {
namespace {

mode_t ModeOf(const std::string& path) {
  struct stat info{};
  BOOST_REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 0777U;
}

BOOST_AUTO_TEST_SUITE(file_operations)

BOOST_AUTO_TEST_CASE(a_private_folder_is_for_its_user_alone) {
  const pipewarden::test::TempFolder folder;
  for (const char* path : {"plain", "of/parents", "slash/"}) {
    BOOST_TEST(MakePrivateFolder(folder / path).has_value());
    BOOST_TEST(ModeOf(folder / path) == 0700U);
    BOOST_TEST(MakePrivateFolder(folder / path).has_value());
  }
  BOOST_TEST(ModeOf(folder / "of") == 0700U);
}

BOOST_AUTO_TEST_CASE(a_folder_that_is_there_keeps_its_mode_and_a_file_is_none) {
  const pipewarden::test::TempFolder folder;
  BOOST_REQUIRE(::mkdir((folder / "shared").c_str(), 0750) == 0);
  BOOST_TEST(MakePrivateFolder(folder / "shared").has_value());
  BOOST_TEST(ModeOf(folder / "shared") == 0750U);
  folder.Write("file", "");
  const auto made = MakePrivateFolder(folder / "file");
  BOOST_TEST((!made && made.error().message.find(folder / "file") != std::string::npos));
  BOOST_TEST(!MakePrivateFolder(folder / "file/inside").has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::core
