// PromQL is tested by scripts: ours in testdata/, and Prometheus' where the conformance data is at hand.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "rules/promql/functions/function.h"
#include "rules/promql/test_runner.h"

namespace pipewarden::rules::promql {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<fs::path> ScriptsIn(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder, ec))
    if (entry.path().extension() == ".test") files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

void RunAll(const std::vector<fs::path>& files, std::set<std::string>& skip_reasons) {
  for (const fs::path& file : files) {
    const auto report = RunPromqlScript(ReadAll(file));
    BOOST_REQUIRE_MESSAGE(report.has_value(), file.string() << ": " << report.error().message);
    for (const auto& failed : report->failed)
      BOOST_ERROR(file.filename().string() << ":" << failed.line << ": " << failed.query << "\n  " << failed.text);
    for (const auto& skipped : report->skipped) skip_reasons.insert(skipped.text);
    BOOST_TEST(report->passed > 0U);
  }
}

BOOST_AUTO_TEST_CASE(our_scripts_pass_and_nothing_is_skipped) {
  std::set<std::string> skipped;
  const auto files = ScriptsIn(fs::path(PIPEWARDEN_SOURCE_DIR) / "tests/rules/promql/testdata");
  BOOST_TEST(!files.empty());
  RunAll(files, skipped);
  BOOST_TEST(skipped.empty());
}

BOOST_AUTO_TEST_CASE(prometheus_scripts_pass) {
  const char* given = std::getenv("PIPEWARDEN_CONFORMANCE");
  const fs::path root = given != nullptr ? fs::path(given) : fs::path(PIPEWARDEN_SOURCE_DIR) / "../shared/conformance";
  const auto files = ScriptsIn(root / "promql");
  if (files.empty()) {
    BOOST_TEST_MESSAGE("skipped: no ../shared/conformance");
    return;
  }
  std::set<std::string> skipped;
  RunAll(files, skipped);
  // Experimental features that the engine does not have.
  for (const std::string& reason : skipped)
    BOOST_TEST((reason.starts_with("range modifier ") || reason.starts_with("binary modifier ") ||
                reason == "start timestamps" || reason == "experimental function start_timestamp"),
               reason);
}

BOOST_AUTO_TEST_CASE(every_function_stands_in_our_scripts) {
  std::string all;
  for (const fs::path& file : ScriptsIn(fs::path(PIPEWARDEN_SOURCE_DIR) / "tests/rules/promql/testdata"))
    all += ReadAll(file);
  for (const Function* function : AllFunctions())
    BOOST_TEST(all.find(std::string(function->name) + "(") != std::string::npos, function->name << " is not tested");
}

}  // namespace
}  // namespace pipewarden::rules::promql
