#include "agent/reference.h"

#include <boost/test/unit_test.hpp>

#include "agent/config.h"

namespace pipewarden::agent {
namespace {

BOOST_AUTO_TEST_SUITE(reference)

BOOST_AUTO_TEST_CASE(every_section_of_the_file_has_its_place_on_the_page) {
  const std::string page = ConfigurationPage();
  for (const SectionReference& section : ConfigSections())
    for (const core::Option& option : section.options) {
      const std::string row = "| `" + std::string(option.name) + "` ";  // a secret has its _file twin behind it
      BOOST_TEST((page.contains(row + "|") || page.contains(row + "or ")), option.name);
      if (section.name == "the top level" && option.name != "include")
        BOOST_TEST(page.find("\n## " + std::string(option.name) + "\n\n") != std::string::npos, option.name);
    }
  BOOST_TEST(!page.contains("\n\n\n"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
