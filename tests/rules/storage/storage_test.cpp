// The storage against a naive model: every sample in a map. Restarts, kills (a copy of the directory is opened), sealed
// windows, damage.
#include "rules/storage/storage.h"

#include <prometheus/registry.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "tests/support/file_size_limit.h"
#include "tests/support/temp_folder.h"

namespace pipewarden::rules {
namespace {

namespace fs = std::filesystem;
using test::TempFolder;

constexpr core::TimestampMs kStart = 1'700'000'000'000;

struct Lines {
  std::vector<std::string> lines;
  core::Logger logger{core::LogLevel::kInfo, core::LogFormat::kLogfmt,
                      [](void* self, std::string_view line) { static_cast<Lines*>(self)->lines.emplace_back(line); },
                      this};
  bool Has(std::string_view text) const {
    return std::ranges::any_of(lines, [&](const std::string& line) { return line.find(text) != line.npos; });
  }
};

std::unique_ptr<Storage> OpenStorage(const std::string& directory, Lines& lines, StorageOptions options = {}) {
  options.path = directory;
  auto storage = Storage::Open(std::move(options), lines.logger, std::make_shared<prometheus::Registry>());
  BOOST_REQUIRE_MESSAGE(storage.has_value(), (storage ? "" : storage.error().message));
  return std::move(*storage);
}

// A source whose series are set by hand.
class FakeSource final : public core::SampleSource {
 public:
  explicit FakeSource(std::string name) : name_(std::move(name)) {}
  std::string_view name() const override { return name_; }
  void Visit(core::SampleVisitor& visitor) override {
    visitor.OnFamily(family_);
    for (const auto& [series, value] : series_) visitor.OnSample(*series, value);
  }
  void Add(core::Labels labels, double value) {
    auto series = std::make_unique<core::Series>();
    series->labels = std::move(labels);
    series_.emplace_back(std::move(series), value);
  }
  std::vector<std::pair<std::unique_ptr<core::Series>, double>> series_;

 private:
  std::string name_;
  core::MetricFamily family_;
};

using Model = std::map<std::string, std::map<core::TimestampMs, std::uint64_t>>;

Model ReadAll(const Storage& storage, core::TimestampMs from, core::TimestampMs to) {
  Model model;
  auto querier = storage.Open(from, to);
  auto set = (*querier)->Select({.from = from, .to = to}, {});
  for (std::size_t i = 0; i < (*set)->size(); ++i) {
    promql::SampleColumns samples;
    BOOST_REQUIRE((*set)->Read(i, from, to, samples).has_value());
    BOOST_TEST(std::ranges::is_sorted(samples.times));
    auto& series = model[(*set)->labels(i)->ToString()];
    for (std::size_t k = 0; k < samples.size(); ++k)
      series[samples.times[k]] = std::bit_cast<std::uint64_t>(samples.values[k]);
    promql::SampleColumns last;
    BOOST_REQUIRE((*set)->ReadLast(i, from, to, last).has_value());
    BOOST_REQUIRE(last.size() == (samples.empty() ? 0U : 1U));
    if (!last.empty()) BOOST_TEST(last.times[0] == samples.times.back());
    if (!last.empty())
      BOOST_TEST(std::bit_cast<std::uint64_t>(last.values[0]) == std::bit_cast<std::uint64_t>(samples.values.back()));
    if (series.empty()) model.erase((*set)->labels(i)->ToString());
  }
  return model;
}

Model Between(const Model& model, core::TimestampMs from, core::TimestampMs to) {
  Model out;
  for (const auto& [name, samples] : model)
    for (const auto& [time, bits] : samples)
      if (time >= from && time <= to) out[name][time] = bits;
  return out;
}

void CheckSame(const Model& got, const Model& want) {
  BOOST_TEST(got.size() == want.size());
  for (const auto& [name, samples] : want) {
    const auto found = got.find(name);
    BOOST_REQUIRE_MESSAGE(found != got.end(), name << " is missing");
    BOOST_TEST((found->second == samples), name << ": " << found->second.size() << " samples for " << samples.size());
  }
}

core::Labels SeriesLabels(unsigned i) {
  return core::Labels{
      {"__name__", "m" + std::to_string(i % 7)}, {"job", "j" + std::to_string(i % 3)}, {"i", std::to_string(i)}};
}

// One tick of random samples, to the storage and the model.
void RandomTick(Storage& storage, Model& model, core::TimestampMs time, std::mt19937_64& random) {
  std::vector<RefSample> samples;
  for (unsigned i = 0; i < 30; ++i) {
    if (i % 10 == 9 ? random() % 50 != 0 : random() % 20 == 0) continue;  // gaps, and series that hardly ever come
    const double value = i % 4 == 0   ? 1
                         : i % 4 == 1 ? static_cast<double>(time / 1000 % 100'000)
                         : i % 4 == 2 ? static_cast<double>(random() % 1000) / 10
                                      : (random() % 9 == 0 ? core::StaleNaN() : std::bit_cast<double>(random()));
    const auto ref = storage.Resolve(SeriesLabels(i), "test");
    BOOST_REQUIRE(ref.has_value());
    samples.push_back({*ref, value});
    model[SeriesLabels(i).ToString()][time] = std::bit_cast<std::uint64_t>(value);
  }
  BOOST_TEST(storage.Append(time, samples) == samples.size());
}

// Chunks decide, in memory and in segments.
BOOST_AUTO_TEST_CASE(a_selection_has_the_series_of_its_time_alone) {
  TempFolder folder;
  Lines lines;
  auto storage = OpenStorage(folder.path(), lines);
  const core::TimestampMs old = WindowStart(kStart) + 60'000;
  const core::TimestampMs later = old + 5 * kWindowMs;
  const auto add = [&](const char* name, core::TimestampMs from) {
    const auto ref = storage->Resolve({{"__name__", name}}, "test");
    for (core::TimestampMs t = from; t <= from + 60'000; t += 15'000)
      BOOST_TEST(storage->Append(t, std::vector<RefSample>{{*ref, 1}}) == 1U);
  };
  add("old", old);
  add("later", later);
  for (int i = 0; i < 6; ++i) storage->Maintain(later + 60'000);
  const auto names = [&](core::TimestampMs from, core::TimestampMs to) {
    auto querier = storage->Open(from, to);
    const auto found = (*querier)->LabelValues({.from = from, .to = to}, "__name__", {});
    std::string joined;
    for (const std::string& name : *found) joined += name + ' ';
    auto set = (*querier)->Select({.from = from, .to = to}, {});
    BOOST_TEST((*set)->size() == found->size());
    return joined;
  };
  BOOST_TEST(names(0, later + 60'000) == "later old ");
  BOOST_TEST(names(0, 1) == "");
  BOOST_TEST(names(0, old) == "old ");
  BOOST_TEST(names(0, later - 1) == "old ");
  BOOST_TEST(names(old + kWindowMs, later - 1) == "");
  BOOST_TEST(names(later, later) == "later ");
  BOOST_TEST(names(later + 60'000, later) == "");
}

BOOST_AUTO_TEST_CASE(holds_what_a_naive_model_holds_over_restarts_kills_and_seals) {
  TempFolder dir;
  Lines lines;
  Model model;
  std::mt19937_64 random(1);
  core::TimestampMs time = kStart;
  auto storage = OpenStorage(dir.path() + "/s", lines);
  int segments_seen = 0;
  for (int tick = 0; tick < 1500; ++tick) {
    time += 30'000 + (random() % 100 == 0 ? static_cast<std::int64_t>(random() % 10'000'000) : 0);
    RandomTick(*storage, model, time, random);
    storage->Maintain(time);
    const auto what = random() % 300;
    if (what == 0) {
      storage.reset();
      storage = OpenStorage(dir.path() + "/s", lines);
    } else if (what == 1) {
      storage->Checkpoint();
    } else if (what == 2) {
      // Killed at this instant: what a copy of the files gives.
      fs::remove_all(dir.path() + "/copy");
      fs::copy(dir.path() + "/s", dir.path() + "/copy");
      auto copy = OpenStorage(dir.path() + "/copy", lines);
      CheckSame(ReadAll(*copy, 0, time), model);
    }
    if (random() % 100 == 0) {
      const core::TimestampMs from =
          kStart + static_cast<core::TimestampMs>(random() % static_cast<std::uint64_t>(time - kStart + 1));
      const core::TimestampMs to = from + static_cast<core::TimestampMs>(random() % 20'000'000);
      CheckSame(ReadAll(*storage, from, to), Between(model, from, to));
    }
  }
  for (const auto& entry : fs::directory_iterator(dir.path() + "/s"))
    segments_seen += entry.path().extension() == ".seg" ? 1 : 0;
  BOOST_TEST(segments_seen > 5);
  CheckSame(ReadAll(*storage, 0, time), model);
  storage.reset();
  storage = OpenStorage(dir.path() + "/s", lines);
  CheckSame(ReadAll(*storage, 0, time), model);
  BOOST_TEST(storage->newest_time() == time);
}

BOOST_AUTO_TEST_CASE(a_log_torn_at_every_byte_loses_whole_batches_from_the_end_only) {
  TempFolder dir;
  Lines lines;
  std::vector<Model> after;  // the model after each batch
  Model model;
  std::mt19937_64 random(2);
  after.push_back(model);
  {
    auto storage = OpenStorage(dir.path() + "/s", lines);
    for (int tick = 1; tick <= 3; ++tick) {
      RandomTick(*storage, model, kStart + tick * 15'000, random);
      after.push_back(model);
    }
  }
  const std::string log = dir.path() + "/s/wal-00000001.log";
  const auto size = fs::file_size(log);
  std::size_t torn = 0;
  for (std::uintmax_t length = 0; length <= size; length += length < 300 || length + 100 > size ? 1 : 7) {
    fs::remove_all(dir.path() + "/copy");
    fs::copy(dir.path() + "/s", dir.path() + "/copy");
    fs::resize_file(dir.path() + "/copy/wal-00000001.log", length);
    std::optional<Model> first;
    {
      auto storage = OpenStorage(dir.path() + "/copy", lines);
      first = ReadAll(*storage, 0, kStart * 2);
      BOOST_TEST((std::ranges::find(after, *first) != after.end()), "cut at " << length);
      torn += storage->wal_corruptions();
      // It goes on: new samples are taken and survive the next start.
      const auto ref = storage->Resolve(SeriesLabels(0), "test");
      const RefSample sample{*ref, 42};
      BOOST_TEST(storage->Append(kStart + 600'000, std::span(&sample, 1)) == 1U);
    }
    auto again = OpenStorage(dir.path() + "/copy", lines);
    (*first)[SeriesLabels(0).ToString()][kStart + 600'000] = std::bit_cast<std::uint64_t>(42.0);
    CheckSame(ReadAll(*again, 0, kStart * 2), *first);
    BOOST_TEST(again->wal_corruptions() == 0U);
  }
  BOOST_TEST(torn > 100U);
  BOOST_TEST(lines.Has("wal-00000001.log.corrupt"));
}

BOOST_AUTO_TEST_CASE(a_disk_that_was_full_for_a_while_costs_no_sample_of_a_storage_that_lives_on) {
  const TempFolder folder;
  Lines lines;
  auto storage = OpenStorage(folder.path(), lines);
  const auto append = [&](unsigned series, core::TimestampMs time) {
    const auto ref = storage->Resolve(SeriesLabels(series), "test");
    const RefSample sample{ref.value(), 1};
    return storage->Append(time, {&sample, 1});
  };
  std::size_t appended = append(0, kStart);
  // The limits in turn: no log can be begun; a log can, but no checkpoint (and no record of the log).
  for (int minute = 1; minute <= 4; ++minute) {
    const test::FileSizeLimit full(minute <= 2 ? 4 : 8);
    const core::TimestampMs time = kStart + minute * 60'000;
    appended += append(static_cast<unsigned>(minute), time);
    storage->Maintain(time);
  }
  const std::vector<std::string> told = lines.lines;
  BOOST_TEST(told.size() == 1U);
  BOOST_TEST(lines.Has("the storage's log cannot be written"));
  const core::TimestampMs after = kStart + 5 * 60'000;
  appended += append(5, after);
  storage->Maintain(after);
  BOOST_TEST(appended == 6U);
  BOOST_TEST(lines.lines.size() == 2U);
  BOOST_TEST(lines.Has("the storage can be written again"));
  storage.reset();  // a kill: no checkpoint
  storage = OpenStorage(folder.path(), lines);
  BOOST_TEST(ReadAll(*storage, kStart, after).size() == 6U);
}

BOOST_AUTO_TEST_CASE(a_series_that_its_source_no_longer_shows_ends_with_a_marker) {
  TempFolder dir;
  Lines lines;
  auto storage = OpenStorage(dir.path(), lines);
  FakeSource source("fake");
  for (unsigned i = 0; i < 5; ++i) source.Add(SeriesLabels(i), i);
  Model model;
  const auto expect = [&](unsigned i, core::TimestampMs time, double value) {
    model[SeriesLabels(i).ToString()][time] = std::bit_cast<std::uint64_t>(value);
  };
  storage->Take(source, 1000);
  for (unsigned i = 0; i < 5; ++i) expect(i, 1000, i);
  source.series_.erase(source.series_.begin() + 2);
  storage->Take(source, 2000);
  for (const unsigned i : {0U, 1U, 3U, 4U}) expect(i, 2000, i);
  expect(2, 2000, core::StaleNaN());
  // Another order, one of them as a new series of the same labels, one new at all.
  std::swap(source.series_[0], source.series_[3]);
  source.series_.erase(source.series_.begin() + 1);
  source.Add(SeriesLabels(1), 11);
  source.Add(SeriesLabels(7), 7);
  storage->Take(source, 3000);
  for (const unsigned i : {0U, 3U, 4U, 7U}) expect(i, 3000, i);
  expect(1, 3000, 11);
  CheckSame(ReadAll(*storage, 0, 10'000), model);
  storage->Forget("fake", 4000);
  for (const unsigned i : {0U, 1U, 3U, 4U, 7U}) expect(i, 4000, core::StaleNaN());
  CheckSame(ReadAll(*storage, 0, 10'000), model);
}

BOOST_AUTO_TEST_CASE(a_backward_step_of_the_clock_moves_samples_a_millisecond_apart) {
  TempFolder dir;
  Lines lines;
  auto storage = OpenStorage(dir.path(), lines);
  BOOST_TEST(storage->TickTime(10'000) == 10'000);
  BOOST_TEST(storage->TickTime(20'000) == 20'000);
  BOOST_TEST(storage->TickTime(5'000) == 20'001);
  BOOST_TEST(storage->TickTime(15'000) == 20'002);
  BOOST_TEST(storage->TickTime(25'000) == 25'000);
  BOOST_TEST(lines.Has("stepped back"));
  FakeSource source("fake");
  source.Add(SeriesLabels(0), 1);
  storage->Take(source, 30'000);
  storage->Take(source, 29'000);
  const Model model = ReadAll(*storage, 0, 100'000);
  BOOST_TEST(model.at(SeriesLabels(0).ToString()).contains(30'001));
  storage.reset();
  storage = OpenStorage(dir.path(), lines);
  BOOST_TEST(storage->TickTime(1'000) == 30'002);
}

BOOST_AUTO_TEST_CASE(the_series_limit_refuses_new_series_and_keeps_old_ones) {
  TempFolder dir;
  Lines lines;
  auto storage = OpenStorage(dir.path(), lines, {.max_series = 3});
  FakeSource source("fake");
  for (unsigned i = 0; i < 5; ++i) source.Add(SeriesLabels(i), i);
  storage->Take(source, 1000);
  storage->Take(source, 2000);
  BOOST_TEST(storage->series_count() == 3U);
  const Model model = ReadAll(*storage, 0, 10'000);
  BOOST_TEST(model.size() == 3U);
  for (unsigned i = 0; i < 3; ++i) BOOST_TEST(model.at(SeriesLabels(i).ToString()).size() == 2U);
  // Once old ones have left memory there is place again.
  source.series_.erase(source.series_.begin(), source.series_.begin() + 2);
  storage->Take(source, 3000);
  for (core::TimestampMs time = 4000; time < 3 * kWindowMs; time += 600'000) {
    storage->Take(source, time);
    storage->Maintain(time);
  }
  const Model later = ReadAll(*storage, 2 * kWindowMs, 3 * kWindowMs);
  BOOST_TEST(later.size() == 3U);
  BOOST_TEST(later.contains(SeriesLabels(4).ToString()));
}

BOOST_AUTO_TEST_CASE(damaged_files_are_set_aside_by_name_and_the_rest_is_read) {
  TempFolder dir;
  Lines lines;
  Model model;
  std::mt19937_64 random(4);
  core::TimestampMs time = WindowStart(kStart);
  {
    auto storage = OpenStorage(dir.path(), lines);
    for (int tick = 0; tick < 600; ++tick) {
      time += 60'000;
      RandomTick(*storage, model, time, random);
      storage->Maintain(time);
    }
  }
  std::vector<std::string> segments;
  std::vector<std::string> checkpoints;
  for (const auto& entry : fs::directory_iterator(dir.path())) {
    if (entry.path().extension() == ".seg") segments.push_back(entry.path().string());
    if (entry.path().extension() == ".ckpt") checkpoints.push_back(entry.path().string());
  }
  std::ranges::sort(segments);
  std::ranges::sort(checkpoints);
  BOOST_REQUIRE(segments.size() >= 3U);
  BOOST_REQUIRE(checkpoints.size() == 2U);
  const auto damage = [](const std::string& path, std::int64_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(at, at < 0 ? std::ios::end : std::ios::beg);
    file.put('\x77');
  };
  damage(segments[0], -20);     // its footer: found at the start
  damage(segments[1], 20);      // a block: found by a query
  damage(checkpoints[1], 100);  // the older one and its logs stand in
  auto storage = OpenStorage(dir.path(), lines);
  BOOST_TEST(lines.Has(segments[0] + ".corrupt"));
  BOOST_TEST(lines.Has(checkpoints[1] + ".corrupt"));
  const core::TimestampMs whole_from = WindowStart(kStart) + 2 * kWindowMs;
  CheckSame(ReadAll(*storage, whole_from, time), Between(model, whole_from, time));
  (void)ReadAll(*storage, 0, time);
  storage->Maintain(time);
  BOOST_TEST(lines.Has(segments[1] + ".corrupt"));
  BOOST_TEST(ReadAll(*storage, 0, whole_from - 1).size() == 0U);
  CheckSame(ReadAll(*storage, whole_from, time), Between(model, whole_from, time));
}

BOOST_AUTO_TEST_CASE(a_series_whose_first_sample_is_under_way_outlives_retention) {
  TempFolder dir;
  Lines lines;
  auto storage = OpenStorage(dir.path(), lines, {.retention_bytes = 1});
  core::TimestampMs time = WindowStart(kStart);
  const auto pass_windows = [&] {
    const RefSample old{*storage->Resolve(core::Labels{{"__name__", "old"}, {"at", std::to_string(time)}}, "test"), 1};
    storage->Append(time, std::span(&old, 1));
    time += 3 * kWindowMs;
    const RefSample now{*storage->Resolve(core::Labels{{"__name__", "now"}}, "test"), 1};
    storage->Append(time, std::span(&now, 1));
  };
  pass_windows();
  const core::Labels labels{{"__name__", "new"}};
  const RefSample first{*storage->Resolve(labels, "test"), 1};
  storage->Maintain(time);
  BOOST_TEST(storage->Append(time, std::span(&first, 1)) == 1U);
  // One that never comes to have a sample goes in the end.
  storage->Resolve(core::Labels{{"__name__", "never"}}, "test").value();
  for (int i = 0; i < 3; ++i) {
    pass_windows();
    storage->Maintain(time);
  }
  BOOST_TEST(storage->series_count() < 5U);
}

BOOST_AUTO_TEST_CASE(retention_by_time_and_bytes_removes_old_segments_and_their_series) {
  TempFolder dir;
  Lines lines;
  Model model;
  std::mt19937_64 random(5);
  auto storage = OpenStorage(dir.path(), lines, {.retention_time = std::chrono::milliseconds(5 * kWindowMs)});
  core::TimestampMs time = WindowStart(kStart);
  const RefSample once{*storage->Resolve(core::Labels{{"__name__", "once"}}, "test"), 1};
  storage->Append(time + 1, std::span(&once, 1));
  for (int tick = 0; tick < 1200; ++tick) {
    time += 60'000;
    RandomTick(*storage, model, time, random);
    storage->Maintain(time);
  }
  const Model all = ReadAll(*storage, 0, time);
  BOOST_TEST(!all.contains("once"));
  BOOST_TEST(storage->series_count() == 30U);
  BOOST_TEST(all.at(SeriesLabels(0).ToString()).begin()->first > time - 7 * kWindowMs);
  CheckSame(ReadAll(*storage, time - 5 * kWindowMs, time), Between(model, time - 5 * kWindowMs, time));
  storage.reset();
  storage = OpenStorage(dir.path(), lines, {.retention_bytes = 1});
  storage->Maintain(time);
  for (const auto& entry : fs::directory_iterator(dir.path())) BOOST_TEST(entry.path().extension() != ".seg");
}

BOOST_AUTO_TEST_CASE(a_querier_shows_one_state_while_samples_come_in) {
  TempFolder dir;
  Lines lines;
  auto storage = OpenStorage(dir.path(), lines);
  const RefSample sample{*storage->Resolve(SeriesLabels(0), "test"), 1};
  storage->Append(1000, std::span(&sample, 1));
  auto querier = storage->Open(0, 10'000);
  storage->Append(2000, std::span(&sample, 1));
  auto set = (*querier)->Select({.from = 0, .to = 10'000}, {});
  storage->Append(3000, std::span(&sample, 1));
  promql::SampleColumns samples;
  BOOST_TEST((*set)->Read(0, 0, 10'000, samples).has_value());
  BOOST_TEST((*set)->ReadLast(0, 0, 10'000, samples).has_value());
  BOOST_TEST((samples.times == std::vector<core::TimestampMs>{1000, 1000}));
}

BOOST_AUTO_TEST_CASE(who_reads_a_long_series_is_asked_on_the_way_whether_to_go_on) {
  TempFolder dir;
  Lines lines;
  auto storage = OpenStorage(dir.path(), lines);
  const RefSample sample{*storage->Resolve(SeriesLabels(0), "test"), 1};
  core::TimestampMs time = WindowStart(kStart);
  for (int tick = 0; tick < 10 * 120; ++tick) {
    time += 60'000;
    storage->Append(time, std::span(&sample, 1));
    storage->Maintain(time);
  }
  auto querier = storage->Open(0, time);
  std::vector<std::size_t> asked;
  const auto check = [&](std::size_t samples) -> core::Result<void> {
    asked.push_back(samples);
    if (samples >= 200) return core::Fail(core::ErrorCode::kLimit, "enough");
    return {};
  };
  auto set = (*querier)->Select({.from = 0, .to = time, .check = check}, {});
  promql::SampleColumns samples;
  const auto read = (*set)->Read(0, 0, time, samples);
  BOOST_REQUIRE(!read.has_value());
  BOOST_TEST(read.error().message == "enough");
  BOOST_TEST((asked == std::vector<std::size_t>{119, 239}));
  BOOST_TEST(samples.size() == 239U);
}

BOOST_AUTO_TEST_CASE(readers_see_whole_batches_while_the_writer_appends_and_seals) {
  TempFolder dir;
  Lines lines;
  auto storage = OpenStorage(dir.path(), lines);
  std::atomic<bool> done{false};
  std::atomic<int> reads{0};
  const auto read = [&] {
    while (!done) {
      auto querier = storage->Open(0, kStart * 2);
      const auto matcher = core::Matcher::Make("__name__", core::MatchOp::kRegex, "m.*");
      auto set = (*querier)->Select({.from = 0, .to = kStart * 2}, std::span(&*matcher, 1));
      std::vector<std::size_t> sizes;
      for (std::size_t i = 0; i < (*set)->size(); ++i) {
        promql::SampleColumns samples;
        if (!(*set)->Read(i, 0, kStart * 2, samples)) std::abort();
        for (std::size_t k = 1; k < samples.size(); ++k)
          if (samples.times[k] - samples.times[k - 1] != 60'000) std::abort();
        sizes.push_back(samples.size());
      }
      // Each batch has a sample of every series of the first, so all of them are equally long.
      for (const std::size_t size : sizes)
        if (size != sizes[0]) std::abort();
      (void)(*querier)->LabelValues({}, "i", {});
      ++reads;
    }
  };
  std::vector<RefSample> samples;
  for (unsigned i = 0; i < 20; ++i) samples.push_back({*storage->Resolve(SeriesLabels(i), "test"), 0});
  core::TimestampMs time = kStart;
  storage->Append(time, samples);
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) readers.emplace_back(read);
  for (int tick = 0; tick < 600 || reads < 10; ++tick) {
    time += 60'000;
    for (RefSample& sample : samples) sample.value += 1;
    storage->Append(time, samples);
    storage->Maintain(time);
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  BOOST_TEST(reads.load() >= 10);
}

BOOST_AUTO_TEST_CASE(a_series_costs_far_less_than_prometheus_three_kilobytes) {
  TempFolder dir;
  Lines lines;
  auto storage = OpenStorage(dir.path(), lines);
  std::vector<RefSample> samples;
  for (unsigned i = 0; i < 5000; ++i) {
    core::Labels labels{{"__name__", "pipewarden_metric_" + std::to_string(i % 100)},
                        {"job", "pipeline"},
                        {"instance", "node-" + std::to_string(i / 100) + ".example:9595"},
                        {"component", "component-" + std::to_string(i % 10)},
                        {"le", std::to_string(i % 12)}};
    samples.push_back({*storage->Resolve(labels, "test"), static_cast<double>(i)});
  }
  for (int tick = 0; tick < 240; ++tick) {  // an hour
    for (std::size_t i = 0; i < samples.size(); ++i) samples[i].value += i % 3 == 0 ? 1 : 0;
    storage->Append(kStart + tick * 15'000, samples);
  }
  const std::size_t each = storage->MemoryBytes() / samples.size();
  BOOST_TEST_MESSAGE("bytes a series after an hour: " << each);
  BOOST_TEST(each < 300U);
}

}  // namespace
}  // namespace pipewarden::rules
