#include "exporters/logs/glob.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "tests/support/temp_folder.h"

namespace pipewarden::exporters {
namespace {

struct Case {
  const char* pattern;
  const char* found;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.pattern; }

const Case kCases[] = {
    {"a.log", "a.log"},
    {"not-there.log", "not-there.log"},
    {"*.log", "a.log b.log"},
    {"[b-z].log", "b.log"},
    {"?.log", "a.log b.log"},
    {".*.log", ".hidden.log"},
    {"sub/*.log", "sub/c.log"},
    {"*/*.log", "sub/c.log"},
    {"**/*.log", "a.log b.log sub/c.log sub/deep/d.log"},
    {"sub/**/d.log", "sub/c.d/d.log sub/d.log sub/deep/d.log"},
    {"sub/**", "sub/c.d sub/c.log sub/deep sub/deep/d.log"},
    {"nowhere/*.log", ""},
    {"nowhere/**/x", "nowhere/x"},
};

BOOST_DATA_TEST_CASE(patterns_name_paths, boost::unit_test::data::make(kCases), c) {
  const pipewarden::test::TempFolder folder;
  std::filesystem::create_directories(folder / "sub/deep");
  std::filesystem::create_directories(folder / "sub/c.d");
  std::filesystem::create_directory_symlink(folder.path(), folder / "sub/deep/loop");
  for (const char* name : {"a.log", "b.log", ".hidden.log", "a.txt", "sub/c.log", "sub/deep/d.log"})
    folder.Write(name, "");
  std::filesystem::remove(folder / "sub/deep/loop");
  DirectoryCache cache;
  std::string found;
  for (const std::string& path : ExpandGlob(cache, folder / c.pattern))
    found += (found.empty() ? "" : " ") + path.substr(folder.path().size() + 1);
  BOOST_TEST(found == c.found);
}

BOOST_AUTO_TEST_CASE(links_to_folders_end_no_walk) {
  const pipewarden::test::TempFolder folder;
  std::filesystem::create_directory(folder / "sub");
  std::filesystem::create_directory_symlink(folder.path(), folder / "sub/loop");
  folder.Write("sub/a.log", "");
  DirectoryCache cache;
  BOOST_TEST(ExpandGlob(cache, folder / "**/*.log").size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_change_is_seen_by_the_next_poll) {
  const pipewarden::test::TempFolder folder;
  DirectoryCache cache;
  for (int i = 0; i < 100; ++i) {
    folder.Write(std::to_string(i), "");
    cache.NewPoll();
    BOOST_REQUIRE(cache.List(folder.path()).names.size() == static_cast<std::size_t>(i) + 1);
  }
  std::filesystem::remove_all(folder.path());
  cache.NewPoll();
  BOOST_TEST(!cache.List(folder.path()).readable);
}

struct Rotation {
  const char* name;
  bool is_rotation;
};
std::ostream& operator<<(std::ostream& out, const Rotation& r) { return out << r.name; }

const Rotation kRotations[] = {{"app.log.1", true},
                               {"app.log-20260314", true},
                               {"app.log.2026-03-14", true},
                               {"app.log_3", true},
                               {"app.log.old", true},
                               {"app.log", false},
                               {"app.log.1.gz", false},
                               {"app.log.bak", false},
                               {"app.log2", false},
                               {"app.log.", false},
                               {"app", false},
                               {"other.log.1", false}};

BOOST_DATA_TEST_CASE(what_rotation_makes, boost::unit_test::data::make(kRotations), r) {
  BOOST_TEST(IsRotationOf(r.name, "app.log") == r.is_rotation);
}

BOOST_AUTO_TEST_CASE(excluded_are_compressed_files_and_what_is_named) {
  BOOST_TEST(IsExcluded("/a/b.log.gz", {}));
  BOOST_TEST(!IsExcluded("/a/b.log", {}));
  BOOST_TEST(IsExcluded("/a/b.log", {"b.*"}));
  BOOST_TEST(IsExcluded("/a/b.log", {"/a/*"}));
  BOOST_TEST(!IsExcluded("/a/b.log", {"/c/*", "*.txt"}));
}

}  // namespace
}  // namespace pipewarden::exporters
