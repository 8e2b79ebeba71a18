// The pipelines of the examples that are shipped.
#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "agent/pipelines/pipeline.h"

namespace pipewarden::agent {
namespace {

BOOST_AUTO_TEST_SUITE(pipeline_examples)

BOOST_AUTO_TEST_CASE(each_reads_without_a_mistake) {
  int files = 0;
  for (const auto& folder : std::filesystem::directory_iterator(PIPEWARDEN_SOURCE_DIR "/packaging/examples")) {
    const std::string path = folder.path() / "pipewarden.yml";
    if (!std::filesystem::exists(path)) continue;
    const auto root = core::ReadYamlFile(path);
    BOOST_REQUIRE_MESSAGE(root.has_value(), path);
    const core::YamlNode* section = root->Find("pipelines");
    if (section == nullptr) continue;
    core::ConfigErrors errors;
    const auto configs = ReadPipelines(*section, errors);
    for (const std::string& line : errors.Lines()) BOOST_ERROR(line);
    BOOST_TEST(!configs.empty());
    ++files;
    for (const PipelineConfig& config : configs) {  // relative programs are there
      for (const StepConfig& step : config.steps)
        if (step.argv[0].starts_with("./"))
          BOOST_TEST(std::filesystem::exists(step.cwd + "/" + step.argv[0]), step.argv[0]);
    }
  }
  BOOST_TEST(files >= 2);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
