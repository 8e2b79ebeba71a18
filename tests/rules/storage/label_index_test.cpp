// The index against a walk over all series, on generated label sets and matchers.
#include "rules/storage/label_index.h"

#include <boost/test/unit_test.hpp>
#include <random>

#include "rules/storage/head.h"

namespace pipewarden::rules {
namespace {

core::Labels RandomLabels(std::mt19937& random) {
  core::Labels labels;
  labels.Set("__name__", random() % 2 ? "up" : "down");
  for (const char* name : {"a", "b", "c"})
    if (random() % 3 != 0) labels.Set(name, "v" + std::to_string(random() % 12));
  labels.Set("n", std::to_string(random() % 1000));
  return labels;
}

core::Matcher RandomMatcher(std::mt19937& random) {
  static constexpr core::MatchOp kOps[] = {core::MatchOp::kEqual, core::MatchOp::kNotEqual, core::MatchOp::kRegex,
                                           core::MatchOp::kNotRegex};
  static const char* const kNames[] = {"__name__", "a", "b", "c", "n", "none"};
  static const char* const kValues[] = {"", "up", "v1", "v2"};
  static const char* const kPatterns[] = {"", ".*", ".+", "v[1-5]", "v1|v2|", "up|down", "1.*"};
  const core::MatchOp op = kOps[random() % 4];
  const bool regex = op == core::MatchOp::kRegex || op == core::MatchOp::kNotRegex;
  return *core::Matcher::Make(kNames[random() % 6], op, regex ? kPatterns[random() % 7] : kValues[random() % 4]);
}

void CheckAll(const Head& head, std::mt19937& random) {
  for (int round = 0; round < 60; ++round) {
    std::vector<core::Matcher> matchers;
    for (auto count = random() % 4; count > 0; --count) matchers.push_back(RandomMatcher(random));
    std::vector<SeriesRef> wanted;
    head.ForEach([&](SeriesRef ref, const MemSeries&) {
      const core::Labels labels = head.LabelsOf(ref);
      if (std::ranges::all_of(matchers, [&](const core::Matcher& m) { return m.Matches(labels); }))
        wanted.push_back(ref);
    });
    const std::vector<SeriesRef> got = head.Select(matchers);
    std::string text;
    for (const core::Matcher& matcher : matchers) text += matcher.ToString() + " ";
    BOOST_TEST(got == wanted, "with " << text << ": " << got.size() << " for " << wanted.size());
  }
}

BOOST_AUTO_TEST_CASE(selections_are_those_of_a_walk_over_all_series) {
  std::mt19937 random(3);
  Head head;
  CheckAll(head, random);
  for (int i = 0; i < 1500; ++i) {
    const core::Labels labels = RandomLabels(random);
    if (!head.Find(labels)) head.Append(head.Create(labels), random() % 2 ? 1000 : 5000, 1);
    if (i == 3) CheckAll(head, random);
  }
  CheckAll(head, random);
  head.CloseBefore(kWindowMs);
  head.DropBefore(kWindowMs);
  const std::size_t before = head.size();
  BOOST_TEST(head.RemoveSeriesBefore(2000) > before / 3);
  BOOST_TEST(head.size() < before);
  BOOST_TEST(head.size() > 100U);
  CheckAll(head, random);
  head.ForEach([&](SeriesRef ref, const MemSeries&) { BOOST_TEST((head.Find(head.LabelsOf(ref)) == ref)); });
  for (int i = 0; i < 300; ++i) {
    const core::Labels labels = RandomLabels(random);
    if (!head.Find(labels)) head.Create(labels);
  }
  CheckAll(head, random);
}

}  // namespace
}  // namespace pipewarden::rules
