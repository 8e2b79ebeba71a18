#include "core/model/labels.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "core/model/matcher.h"

namespace pipewarden::core {
namespace {

BOOST_AUTO_TEST_SUITE(labels)

BOOST_AUTO_TEST_CASE(a_label_set_is_sorted_unique_and_without_empty_values) {
  const Labels labels{{"b", "1"}, {"a", "2"}, {"b", "3"}, {"c", ""}};
  BOOST_TEST(labels.ToString() == R"({a="2", b="3"})");
  Labels changed = labels;
  changed.Set("aa", "x");
  changed.Remove("b");
  BOOST_TEST(changed.ToString() == R"({a="2", aa="x"})");
}

BOOST_AUTO_TEST_CASE(a_copy_stays_as_it_is_when_another_changes) {
  Labels labels{{"a", "1"}, {"b", "2"}};
  const Labels copy = labels;
  labels.Set("b", labels.Get("a"));  // what is set may lie in the set itself
  labels.Set("c", "3");
  BOOST_TEST(labels.ToString() == R"({a="1", b="1", c="3"})");
  BOOST_TEST(copy.ToString() == R"({a="1", b="2"})");
  for (const char* name : {"a", "b", "c", "absent"}) labels.Remove(name);
  BOOST_TEST(labels.empty());
  BOOST_TEST((labels == Labels()));
}

BOOST_AUTO_TEST_CASE(names_and_values_may_be_long) {
  for (const std::size_t size : {std::size_t{254}, std::size_t{255}, std::size_t{256}, std::size_t{70'000}}) {
    const Labels labels{{std::string(size, 'n'), "1"}, {"a", std::string(size, 'v')}, {"z", "2"}};
    BOOST_TEST(labels.size() == 3U);
    BOOST_TEST(labels.Get("a") == std::string(size, 'v'));
    BOOST_TEST(labels.Get(std::string(size, 'n')) == "1");
    BOOST_TEST(labels.Get("z") == "2");
  }
}

BOOST_AUTO_TEST_CASE(sets_are_ordered_by_their_first_difference) {
  const std::vector<Labels> ordered = {
      {}, {{"a", "1"}}, {{"a", "1"}, {"b", "1"}}, {{"a", "1"}, {"c", "0"}}, {{"a", "10"}}, {{"a", "2"}}, {{"b", "1"}},
  };
  for (std::size_t i = 0; i < ordered.size(); ++i)
    for (std::size_t j = 0; j < ordered.size(); ++j) {
      BOOST_TEST((ordered[i] < ordered[j]) == (i < j));
      BOOST_TEST((ordered[i] == ordered[j]) == (i == j));
    }
}

BOOST_AUTO_TEST_CASE(the_fingerprint_is_alertmanagers) {
  // As Alertmanager 0.25 answered for this alert.
  const Labels labels{{"alertname", "foo"}, {"cluster", "c1"}, {"env", "prod"}, {"severity", "x"}};
  BOOST_TEST(labels.Fingerprint() == 0xa440d2bebb8f29b5U);
}

BOOST_AUTO_TEST_CASE(the_metric_name_stands_in_front) {
  BOOST_TEST((Labels{{"__name__", "up"}, {"job", "a\"\\\n"}}.ToString()) == R"(up{job="a\"\\\n"})");
  BOOST_TEST((Labels{{"__name__", "up"}}.ToString()) == "up");
  BOOST_TEST((Labels{{"__name__", "a.b"}, {"c.d", "e"}}.ToString()) == R"({"a.b", "c.d"="e"})");
}

struct MatchCase {
  MatchOp op;
  const char* pattern;
  std::string_view value;
  bool matches;
};
std::ostream& operator<<(std::ostream& out, const MatchCase& c) {
  return out << MatchOpText(c.op) << c.pattern << " on " << c.value;
}
const MatchCase kMatches[] = {{MatchOp::kEqual, "a", "a", true},         {MatchOp::kNotEqual, "a", "", true},
                              {MatchOp::kRegex, "a|b", "b", true},       {MatchOp::kRegex, "a|b", "ab", false},
                              {MatchOp::kRegex, "a.b", "a\nb", true},    {MatchOp::kRegex, "", "", true},
                              {MatchOp::kNotRegex, "a.*", "abc", false}, {MatchOp::kNotRegex, ".+", "", true}};

BOOST_DATA_TEST_CASE(matchers_are_anchored, boost::unit_test::data::make(kMatches), c) {
  const auto matcher = Matcher::Make("l", c.op, c.pattern);
  BOOST_REQUIRE(matcher.has_value());
  BOOST_TEST(matcher->Matches(c.value) == c.matches);
}

BOOST_AUTO_TEST_CASE(a_bad_regex_is_told_as_written) {
  const auto matcher = Matcher::Make("l", MatchOp::kRegex, "a(");
  BOOST_REQUIRE(!matcher.has_value());
  BOOST_TEST(matcher.error().message.find("^(?s:") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::core
