#include "core/model/component_graph.h"

#include <boost/test/unit_test.hpp>

namespace pipewarden::core {
namespace {

std::vector<std::string> Names(const ComponentGraph& graph) {
  std::vector<std::string> names;
  for (const Component& component : graph.InOrder()) names.push_back(component.name);
  return names;
}

BOOST_AUTO_TEST_SUITE(component_graph)

BOOST_AUTO_TEST_CASE(what_is_stood_on_comes_first) {
  ComponentGraph::Problems problems;
  const ComponentGraph graph({{"api", "serving", {"postgres"}}, {"postgres", "serving", {"disk"}}, {"disk", "", {}}},
                             problems);
  BOOST_TEST(problems.empty());
  BOOST_TEST(Names(graph) == (std::vector<std::string>{"disk", "postgres", "api"}), boost::test_tools::per_element());
  BOOST_TEST(graph.StandsOn("api") == (std::vector<std::string>{"postgres", "disk"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_cycle_is_spelled_out_and_cut) {
  ComponentGraph::Problems problems;
  const ComponentGraph graph({{"a", "", {"b"}}, {"b", "", {"c"}}, {"c", "", {"a"}}}, problems);
  BOOST_REQUIRE(problems.size() == 1U);
  BOOST_TEST(problems[0].first == "c");
  BOOST_TEST(problems[0].second.find("a -> b -> c -> a") != std::string::npos);
  BOOST_TEST(graph.InOrder().size() == 3U);
}

BOOST_AUTO_TEST_CASE(an_unknown_dependency_is_told) {
  ComponentGraph::Problems problems;
  const ComponentGraph graph({{"a", "", {"nowhere"}}}, problems);
  BOOST_REQUIRE(problems.size() == 1U);
  BOOST_TEST(problems[0].second == "it depends on 'nowhere', which is no component");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::core
