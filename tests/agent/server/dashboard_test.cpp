// The Grafana dashboard as its linter would have it, and its queries through our own parser.
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "rules/promql/parser.h"

namespace pipewarden::agent {
namespace {

using nlohmann::json;

std::string Substitute(std::string text) {
  for (const auto& [what, by] :
       {std::pair<std::string, std::string>{"$__rate_interval", "5m"}, {"$job", ".*"}, {"$instance", ".*"}}) {
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what))
      text.replace(at, what.size(), by);
  }
  return text;
}

std::size_t Count(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

BOOST_AUTO_TEST_CASE(the_grafana_dashboard_is_sound) {
  std::ifstream file(PIPEWARDEN_SOURCE_DIR "/dashboards/grafana/pipewarden.json");
  const json dashboard = json::parse(file, nullptr, false);
  BOOST_REQUIRE(dashboard.is_object());
  BOOST_TEST(dashboard["editable"] == false);
  std::set<std::string> variables;
  for (const json& variable : dashboard["templating"]["list"]) variables.insert(variable["name"].get<std::string>());
  BOOST_TEST(variables == (std::set<std::string>{"datasource", "instance", "job"}), boost::test_tools::per_element());
  std::set<int> ids;
  for (const json& panel : dashboard["panels"]) {
    BOOST_TEST(ids.insert(panel["id"].get<int>()).second);
    if (panel["type"] == "row") continue;
    BOOST_TEST_CONTEXT(panel["title"].get<std::string>()) {
      BOOST_TEST(!panel["description"].get<std::string>().empty());
      BOOST_TEST(!panel["fieldConfig"]["defaults"]["unit"].get<std::string>().empty());
      BOOST_TEST(panel["datasource"]["uid"] == "${datasource}");
      for (const json& target : panel["targets"]) {
        const std::string expr = target["expr"].get<std::string>();
        const auto parsed = rules::promql::ParseExpr(Substitute(expr));
        BOOST_TEST(parsed.has_value(), expr << ": " << (parsed ? "" : parsed.error().message));
        BOOST_TEST(Count(expr, "{") > 0U);
        BOOST_TEST(Count(expr, "{") == Count(expr, "job=~\"$job\", instance=~\"$instance\"}"), expr);
      }
    }
  }
}

}  // namespace
}  // namespace pipewarden::agent
