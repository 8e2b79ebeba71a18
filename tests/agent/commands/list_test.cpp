#include "agent/commands/list.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <iostream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "agent/commands/client.h"
#include "agent/commands/command_line.h"

namespace pipewarden::agent {
namespace {

BOOST_AUTO_TEST_SUITE(commands)

// A file without a header beside it is a command; promql_test.cpp is the command promql-test.
BOOST_AUTO_TEST_CASE(the_list_is_the_folder) {
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(PIPEWARDEN_SOURCE_DIR "/agent/commands")) {
    auto header = entry.path();
    if (entry.path().extension() != ".cpp" || std::filesystem::exists(header.replace_extension(".h"))) continue;
    std::string name = entry.path().stem();
    std::ranges::replace(name, '_', '-');
    files.insert(name);
  }
  std::set<std::string> listed;
  for (const Command* command : Commands()) {
    listed.insert(std::string(command->name));
    BOOST_TEST(!command->summary.empty());
  }
  BOOST_TEST(files == listed, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(usage_is_told_by_the_exit_code) {
  const auto run = [](std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "pipewarden");
    std::ostringstream said;
    auto* out = std::cout.rdbuf(said.rdbuf());
    auto* err = std::cerr.rdbuf(said.rdbuf());
    const int code = RunCommandLine(static_cast<int>(arguments.size()), arguments.data());
    std::cout.rdbuf(out);
    std::cerr.rdbuf(err);
    return code;
  };
  BOOST_TEST(run({"--version"}) == 0);
  BOOST_TEST(run({"--help"}) == 0);
  BOOST_TEST(run({"pipeline", "--help"}) == 0);
  BOOST_TEST(run({}) == 2);
  BOOST_TEST(run({"prob"}) == 2);
  BOOST_TEST(run({"query"}) == 2);
  BOOST_TEST(run({"pipeline", "run", "daily", "--env", "MODE", "--storage.path", "/nonexistent"}) == 2);
  BOOST_TEST(run({"probe", "--storage.path", "/nonexistent"}) == 1);
}

BOOST_AUTO_TEST_CASE(text_of_peers_cannot_move_the_cursor) {
  BOOST_TEST(ForTerminal("a\x1b[2Jb") == "a\\x1b[2Jb");
  BOOST_TEST(ForTerminal("é\xc2\x9b") == "é\\x9b");
  BOOST_TEST(ForTerminal("a\nb") == "a\\nb");
  BOOST_TEST(ForTerminal("a\nb", true) == "a\nb");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
