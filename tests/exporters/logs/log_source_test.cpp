#include "exporters/logs/log_source.h"

#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <boost/test/unit_test.hpp>

#include "core/model/sample_sink.h"
#include "exporters/logs/log_worker.h"
#include "tests/exporters/logs/log_node.h"

namespace pipewarden::exporters {
namespace {

using namespace std::chrono_literals;

class Text final : public core::SampleVisitor {
 public:
  void OnFamily(const core::MetricFamily& family) override {
    text += std::string(core::MetricTypeName(family.type)) + " " + family.name + "\n";
  }
  void OnSample(const core::Series& series, double value) override {
    text += series.labels.ToString() + " " + std::to_string(static_cast<int>(value)) + "\n";
  }
  std::string text;
};

core::Task<void> StopIt(LogSource& source) { co_await source.Stop(); }

struct Fixture : LogNode {
  core::Loop loop{clock, logger, 2};
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  LogSource source{loop, logger, registry, folder / "data"};

  std::string Visit() {
    Text text;
    source.Visit(text);
    return text.text;
  }
  void Stop() {
    core::TaskGroup group(loop);
    group.Spawn("stop", StopIt(source));
    loop.RunReady();
    BOOST_TEST(group.size() == 0U);
  }
};

BOOST_FIXTURE_TEST_SUITE(log_source, Fixture)

BOOST_AUTO_TEST_CASE(lines_become_samples_on_the_loop) {
  source.Apply(Config());
  loop.RunReady();
  BOOST_TEST(Visit() == "counter lines_total\nlines_total 0\ncounter sum_total\nsum_total 0\n");
  Write("app.log", 4);
  loop.Advance(1s);
  BOOST_TEST(Visit() == "counter lines_total\nlines_total 4\ncounter sum_total\nsum_total 10\ngauge last\nlast 4\n");
  BOOST_TEST(source.State()->patterns.at(0).hits == 4U);
  const std::string own = prometheus::TextSerializer().Serialize(registry->Collect());
  BOOST_TEST(own.find("\npipewarden_logs_lines_total 4\n") != std::string::npos, own);
  BOOST_TEST(own.find("\npipewarden_logs_files 1\n") != std::string::npos, own);
  Stop();
  BOOST_TEST(Visit().find("lines_total 4") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_series_keeps_its_id) {
  struct Ids final : core::SampleVisitor {
    void OnFamily(const core::MetricFamily&) override {}
    void OnSample(const core::Series& series, double) override { ids.push_back(series.id); }
    std::vector<core::SeriesId> ids;
  };
  source.Apply(Config());
  Write("app.log", 1);
  loop.Advance(1s);
  Ids before;
  source.Visit(before);
  Write("app.log", 1);
  loop.Advance(1s);
  source.Apply(Config());
  loop.Advance(1s);
  Ids after;
  source.Visit(after);
  BOOST_TEST(before.ids == after.ids, boost::test_tools::per_element());
  BOOST_TEST(before.ids.size() == 3U);
  Stop();
}

BOOST_AUTO_TEST_CASE(without_entries_nothing_is_made) {
  source.Apply({});
  loop.Advance(1s);
  BOOST_TEST(std::filesystem::is_empty(folder / "data"));
  BOOST_TEST(Visit().empty());
  Stop();
}

BOOST_AUTO_TEST_CASE(an_orderly_stop_keeps_values_over_a_boot) {
  source.Apply(Config());
  Write("app.log", 4);
  loop.Advance(1s);
  Stop();
  auto db = core::Database::Open(folder / "data/logs.db", std::vector<std::string_view>(1), core::Durability::kProcess,
                                 logger);
  auto select = db->Prepare("SELECT value FROM state WHERE key = 'stopped'");
  BOOST_TEST(select->Step().value());
  BOOST_TEST(select->Text(0) == "1");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::exporters
