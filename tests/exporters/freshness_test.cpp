#include "exporters/freshness.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <map>
#include <set>
#include <stdexcept>

#include "tests/support/temp_folder.h"

namespace pipewarden::exporters {
namespace {

using namespace std::chrono_literals;

core::WallTime At(std::string_view text) {
  const auto time = core::ParseRfc3339(text);
  BOOST_REQUIRE(time);
  return time->ToWall();
}

std::vector<FreshnessConfig> ReadText(const std::string& yaml, std::vector<std::string>* lines = nullptr) {
  core::ConfigErrors errors;
  const auto node = core::ParseYaml(yaml, "pipewarden.yml");
  BOOST_REQUIRE(node);
  auto configs = ReadFreshness(*node, errors);
  if (lines != nullptr) *lines = errors.Lines();
  if (lines == nullptr) BOOST_REQUIRE_MESSAGE(errors.empty(), (errors.empty() ? "" : errors.Lines().front()));
  return configs;
}

struct Samples : core::SampleVisitor {
  void OnFamily(const core::MetricFamily&) override {}
  void OnSample(const core::Series& series, double value) override {
    values[std::string(series.labels.Get(core::kMetricName))] = value;
    ids.insert(series.id);
  }
  std::map<std::string, double> values;
  std::set<core::SeriesId> ids;
};

struct Fixture {
  core::JumpingClock clock{At("2026-03-18T12:00:00Z")};  // a Wednesday
  core::Loop loop{clock, core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt), 1};
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  FreshnessRunner runner{loop, core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt), registry};
  test::TempFolder dir;

  ~Fixture() {
    core::TaskGroup group(loop);
    group.Spawn("stop", runner.Stop());
    loop.RunReady();
  }
  void Touch(const std::string& name, std::string_view time) const {
    const std::string path = dir.path() + "/" + name;
    if (!std::filesystem::exists(path)) dir.Write(name, "x");
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(At(time).time_since_epoch()).count();
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    BOOST_REQUIRE(utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
  }
  void Apply(const std::string& options) {
    runner.Apply(ReadText("[{name: orders, source: file, glob: '" + dir.path() + "/" + options + "}]"));
    loop.RunReady();
  }
  Samples Visit() {
    Samples samples;
    runner.Visit(samples);
    return samples;
  }
  FreshnessStatus Status() { return runner.Status().at(0); }
};

BOOST_FIXTURE_TEST_SUITE(freshness, Fixture)

BOOST_AUTO_TEST_CASE(the_newest_file_tells_the_age) {
  Touch("a.csv", "2026-03-18T09:00:00Z");
  Touch("b.csv", "2026-03-18T11:00:00Z");
  Touch("c.txt", "2026-03-18T11:59:00Z");
  Apply("*.csv', max_age: 2h");
  Samples samples = Visit();
  BOOST_TEST(samples.values.at("pipewarden_freshness_age_seconds") == 3600);
  BOOST_TEST(samples.values.at("pipewarden_freshness_last_update_timestamp_seconds") == 1773831600);
  BOOST_TEST(samples.values.at("pipewarden_freshness_due") == 0);
  BOOST_TEST(samples.values.at("pipewarden_freshness_check_success") == 1);
  BOOST_TEST(Status().what == dir.path() + "/b.csv");
  loop.Advance(61min);
  const Samples later = Visit();
  BOOST_TEST(later.values.at("pipewarden_freshness_age_seconds") == 7260);
  BOOST_TEST(later.values.at("pipewarden_freshness_due") == 1);
  BOOST_TEST(later.values.at("pipewarden_freshness_too_old") == 1);
  BOOST_TEST(later.values.at("pipewarden_freshness_missing") == 0);
  BOOST_TEST(later.ids == samples.ids);
  BOOST_TEST(Status().reason == "last updated at 2026-03-18T11:00:00Z, more than 2h ago");
  Touch("d.csv", "2026-03-18T13:00:00Z");
  loop.Advance(1min);
  BOOST_TEST(Visit().values.at("pipewarden_freshness_due") == 0);
}

struct Throwing final : FreshnessSource {
  core::Task<core::Result<FreshnessReading>> Read(core::Loop&) override {
    if (++reads == 1) throw std::runtime_error("thrown by a test");
    co_return FreshnessReading{};
  }
  int reads = 0;
};

BOOST_AUTO_TEST_CASE(a_source_that_throws_fails_alone_and_is_asked_again) {
  auto configs = ReadText("[{name: orders, source: file, glob: /nowhere, max_age: 2h}]");
  configs[0].source = std::make_shared<Throwing>();
  runner.Apply(std::move(configs));
  loop.RunReady();
  BOOST_TEST(Status().error == "internal error: thrown by a test");
  loop.Advance(10min);
  BOOST_TEST(Status().error.empty());
}

BOOST_AUTO_TEST_CASE(nothing_there_is_due_at_once_where_an_age_is_wanted) {
  Apply("*.csv', max_age: 2h");
  const Samples samples = Visit();
  BOOST_TEST(!samples.values.contains("pipewarden_freshness_age_seconds"));
  BOOST_TEST(samples.values.at("pipewarden_freshness_due") == 1);
  BOOST_TEST(Status().reason == "nothing found");
}

BOOST_AUTO_TEST_CASE(the_newest_partition_tells_by_its_date) {
  for (const char* day : {"2026-03-15", "2026-03-17", "2026-03-16"})
    Touch("dt=" + std::string(day) + "/part-0.parquet", "2026-03-18T11:00:00Z");
  Apply("dt=*', time: partition, max_age: 26h");
  BOOST_TEST(Visit().values.at("pipewarden_freshness_age_seconds") == 12 * 3600);
  BOOST_TEST(Status().what == dir.path() + "/dt=2026-03-17");
  Touch("dt=2026-03-18/part-0.parquet", "2026-03-18T11:00:00Z");
  loop.Advance(1min);
  BOOST_TEST(Visit().values.at("pipewarden_freshness_age_seconds") == 0);  // today's: not over yet
}

struct PartitionCase {
  const char* path;
  const char* options;
  std::string_view last_update;  // "": an error
};
std::ostream& operator<<(std::ostream& out, const PartitionCase& c) { return out << c.path << " " << c.options; }
const PartitionCase kPartitions[] = {
    {"dt=2026-03-14/x", "dt=*/*'", "2026-03-15T00:00:00Z"},
    {"20260314/x", "*/x'", "2026-03-15T00:00:00Z"},
    {"dt=2026-03-14/hour=05/x", "*/*/x'", "2026-03-14T06:00:00Z"},
    {"dt=2026-03-14-05/x", "*/x'", "2026-03-14T06:00:00Z"},
    {"dt=2026-03-14/00001.parquet", "*/*'", "2026-03-15T00:00:00Z"},
    {"dt=2026-03-14/x", "*/x', timezone: Europe/Berlin", "2026-03-14T23:00:00Z"},
    {"y2026m03d14/x", "*/x', partition: 'y(?P<year>\\d+)m(?P<month>\\d+)d(?P<day>\\d+)'", "2026-03-15T00:00:00Z"},
    {"yXVIm03d14/x", "*/x', partition: 'y(?P<year>\\w+)m(?P<month>\\d+)d(?P<day>\\d+)'", ""},
    {"dt=2026-13-45/x", "*/x'", ""},
    {"today/x", "*/x'", ""},
};
BOOST_DATA_TEST_CASE(partitions_are_read_from_the_path, boost::unit_test::data::make(kPartitions), c) {
  Touch(c.path, "2026-03-18T11:00:00Z");
  // The options begin with the pattern's end and its quote.
  const std::string options = c.options;
  Apply(options.substr(0, options.find('\'') + 1) + ", time: partition" + options.substr(options.find('\'') + 1));
  if (c.last_update.empty()) {
    BOOST_TEST(Status().error.find("names a date that `partition` matches") != std::string::npos, Status().error);
    BOOST_TEST(Visit().values.at("pipewarden_freshness_check_success") == 0);
    BOOST_TEST(!Visit().values.contains("pipewarden_freshness_due"));
  } else {
    BOOST_REQUIRE(Status().last_update);
    BOOST_TEST(core::FormatRfc3339(*Status().last_update) == c.last_update);
  }
}

struct ExpectedCase {
  const char* expected;
  std::string_view last_update, now;  // "" nothing found
  bool due;
};
std::ostream& operator<<(std::ostream& out, const ExpectedCase& c) {
  return out << c.expected << " updated " << c.last_update << " now " << c.now;
}
// 2026-03-16 is a Monday.
const ExpectedCase kExpected[] = {
    {"{by: '06:00'}", "2026-03-17T05:30:00Z", "2026-03-17T07:00:00Z", false},
    {"{by: '06:00'}", "2026-03-17T05:30:00Z", "2026-03-18T05:59:59Z", false},
    {"{by: '06:00'}", "2026-03-17T05:30:00Z", "2026-03-18T06:00:00Z", true},
    {"{by: '06:00'}", "2026-03-17T06:30:00Z", "2026-03-18T06:00:00Z", false},  // it was late, and counts for the next
    {"{by: '06:00'}", "", "2026-03-18T06:00:00Z", true},
    {"{by: '06:00', days: weekdays}", "2026-03-13T05:00:00Z", "2026-03-15T23:00:00Z", false},  // Friday's, on Sunday
    {"{by: '06:00', days: weekdays}", "2026-03-13T05:00:00Z", "2026-03-16T06:00:00Z", true},
    {"{by: '06:00', days: 'mon'}", "2026-03-15T23:00:00Z", "2026-03-22T23:00:00Z", false},
    {"{by: '06:00', timezone: Europe/Berlin}", "2026-03-17T04:00:00Z", "2026-03-18T04:59:00Z", false},
    {"{by: '06:00', timezone: Europe/Berlin}", "2026-03-17T04:00:00Z", "2026-03-18T05:00:00Z", true},
    {"{by: '02:30', timezone: Europe/Berlin}", "2026-03-28T01:00:00Z", "2026-03-29T01:00:00Z", true},  // no 02:30 then
    {"{by: '24:00'}", "2026-03-16T23:00:00Z", "2026-03-17T23:59:00Z", false},
};
BOOST_DATA_TEST_CASE(data_is_expected_by_a_time_of_day, boost::unit_test::data::make(kExpected), c) {
  const auto configs = ReadText("[{name: a, source: file, glob: /x, expected: " + std::string(c.expected) + "}]");
  std::optional<core::WallTime> last_update;
  if (!c.last_update.empty()) last_update = At(c.last_update);
  const FreshnessVerdict verdict = JudgeFreshness(configs.at(0), last_update, At(c.now));
  BOOST_TEST(verdict.due == c.due, verdict.reason);
  BOOST_TEST(verdict.missing == c.due);
  BOOST_TEST(verdict.due == !verdict.reason.empty());
}

BOOST_AUTO_TEST_CASE(nothing_is_expected_on_a_holiday) {
  const std::string file = dir.Write("holidays", "2026-03-18  # all of Wednesday\n");
  const std::string yaml = "[{name: a, source: file, glob: /x, expected: {by: '06:00', holidays: " + file + "}}]";
  const FreshnessConfig config = ReadText(yaml).at(0);
  BOOST_TEST(!JudgeFreshness(config, At("2026-03-17T05:00:00Z"), At("2026-03-18T20:00:00Z")).due);
  BOOST_TEST(JudgeFreshness(config, At("2026-03-17T05:00:00Z"), At("2026-03-19T06:00:00Z")).due);
  BOOST_TEST((config.expected->Around(At("2026-03-17T20:00:00Z")).next == At("2026-03-19T06:00:00Z")));
  dir.Write("holidays", "");
  BOOST_TEST(ReadText(yaml).at(0).identity != config.identity);
}

BOOST_AUTO_TEST_CASE(a_reload_keeps_what_is_unchanged) {
  Touch("a.csv", "2026-03-18T09:00:00Z");
  Apply("*.csv', max_age: 2h");
  const Samples before = Visit();
  Apply("*.csv', max_age: 2h");
  BOOST_TEST(Visit().values == before.values);
  Apply("*.csv', max_age: 9h");
  BOOST_TEST(Visit().values.at("pipewarden_freshness_due") == 0);
  BOOST_TEST(Visit().ids == before.ids);
  runner.Apply({});
  BOOST_TEST(Visit().values.empty());
}

BOOST_AUTO_TEST_CASE(every_mistake_is_told) {
  std::vector<std::string> errors;
  ReadText(
      "- {name: a, source: fil, glob: /x}\n"
      "- {name: b, glob: /x}\n"
      "- {name: c, source: file}\n"
      "- {name: d, source: file, glob: /x, expected: {by: '25:00', days: sunnday}}\n"
      "- {name: e, source: file, glob: /x, expected: soon}\n"
      "- {name: f, source: file, glob: /x, partition: '(\\d+)'}\n"
      "- {name: c, source: file, glob: /x}\n"
      "- {name: g, source: file, glob: /x, expected: {by: '06:00', holidays: /no/such/file}}\n",
      &errors);
  std::string all;
  for (const std::string& line : errors) all += line + "\n";
  for (const char* says :
       {"1:21: unknown source 'fil' of freshness 'a' (did you mean 'file'?)", "freshness 'b' needs a `source`", "glob",
        "25:00", "sunnday", "`expected` is a map", "`partition` has no group (?P<year>...)",
        "`partition` needs `time: partition`", "freshness 'c' is there twice, first at pipewarden.yml:3:3",
        "cannot read the holidays file /no/such/file"})
    BOOST_TEST(all.find(says) != std::string::npos, "missing: " << says << "\n" << all);
}

BOOST_AUTO_TEST_CASE(each_source_is_a_file_and_each_file_a_source) {
  std::set<std::string> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(PIPEWARDEN_SOURCE_DIR) + "/exporters/freshness_sources"))
    if (entry.path().extension() == ".cpp") files.insert(entry.path().stem().string());
  std::set<std::string> kinds;
  for (const FreshnessSourceKind* kind : FreshnessSourceKinds()) {
    kinds.emplace(kind->name);
    for (const core::OptionTable table : kind->options)
      for (const core::Option& option : table) BOOST_TEST(option.help.ends_with("."), option.name);
  }
  BOOST_TEST(files == kinds, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::exporters
