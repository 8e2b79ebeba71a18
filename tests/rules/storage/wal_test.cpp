#include "rules/storage/wal.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <filesystem>

#include "tests/support/file_size_limit.h"
#include "tests/support/temp_folder.h"

namespace pipewarden::rules {
namespace {

// What was read, as text.
struct Recorder final : WalVisitor {
  void OnSeries(SeriesRef ref, core::TimestampMs newest, core::Labels labels) override {
    lines.push_back("series " + std::to_string(ref) + " " + std::to_string(newest) + " " + labels.ToString());
  }
  void OnSamples(core::TimestampMs time, std::span<const RefSample> samples) override {
    std::string line = "samples " + std::to_string(time);
    for (const RefSample& sample : samples)
      line += " " + std::to_string(sample.ref) + "=" + std::to_string(std::bit_cast<std::uint64_t>(sample.value));
    lines.push_back(line);
  }
  void OnChunk(SeriesRef ref, Chunk chunk) override {
    lines.push_back("chunk " + std::to_string(ref) + " " + std::to_string(chunk.count()));
  }
  void OnState(core::TimestampMs start, SeriesRef next) override {
    lines.push_back("state " + std::to_string(start) + " " + std::to_string(next));
  }
  std::vector<std::string> lines;
};

struct Made {
  std::string file{kWalMagic};
  std::vector<std::size_t> ends;  // of the file after each record
};

Made MakeFile() {
  Made made;
  WalEncoder encoder;
  const auto add = [&] {
    made.file += encoder.buffer();
    made.ends.push_back(made.file.size());
    encoder.Clear();
  };
  encoder.State(-7'200'000, 9);
  add();
  encoder.Series(0, ChunkWriter::kNever, core::Labels{{"__name__", "up"}, {"job", "ä\nb"}});
  add();
  encoder.Series(300, 1'700'000'000'000, core::Labels{});
  add();
  const RefSample samples[] = {{300, 1},
                               {0, -1},
                               {1, 0.5},
                               {2, -0.0},
                               {3, core::StaleNaN()},
                               {4, 1e15},
                               {5, 1e300},
                               {6, core::NormalNaN()},
                               {0xFFFFFFFEU, INFINITY}};
  encoder.Samples(1'700'000'000'001, samples);
  add();
  ChunkWriter chunk;
  chunk.Append(5, 1);
  chunk.Append(9, 2);
  encoder.Chunk(7, chunk.Seal().view());
  add();
  encoder.End();
  add();
  return made;
}

BOOST_AUTO_TEST_CASE(records_read_back) {
  const Made made = MakeFile();
  Recorder recorder;
  const WalReadResult result = ReadWal(made.file, recorder);
  BOOST_TEST(!result.damaged);
  BOOST_TEST(result.ended);
  BOOST_TEST(result.good_bytes == made.file.size());
  BOOST_REQUIRE(recorder.lines.size() == 5U);
  BOOST_TEST(recorder.lines[0] == "state -7200000 9");
  BOOST_TEST(recorder.lines[1] == "series 0 -9223372036854775808 up{job=\"ä\\nb\"}");
  BOOST_TEST(recorder.lines[4] == "chunk 7 2");
  std::string wanted = "samples 1700000000001";
  const std::pair<SeriesRef, double> values[] = {{300, 1},
                                                 {0, -1},
                                                 {1, 0.5},
                                                 {2, -0.0},
                                                 {3, core::StaleNaN()},
                                                 {4, 1e15},
                                                 {5, 1e300},
                                                 {6, core::NormalNaN()},
                                                 {0xFFFFFFFEU, INFINITY}};
  for (const auto& [ref, value] : values)
    wanted += " " + std::to_string(ref) + "=" + std::to_string(std::bit_cast<std::uint64_t>(value));
  BOOST_TEST(recorder.lines[3] == wanted);
}

BOOST_AUTO_TEST_CASE(a_log_torn_at_any_byte_keeps_what_is_before) {
  const Made made = MakeFile();
  for (std::size_t size = 0; size < made.file.size(); ++size) {
    Recorder recorder;
    const WalReadResult result = ReadWal(std::string_view(made.file).substr(0, size), recorder);
    const auto whole =
        static_cast<std::size_t>(std::ranges::count_if(made.ends, [&](std::size_t end) { return end <= size; }));
    BOOST_TEST(recorder.lines.size() == whole);
    const bool at_border = size == kWalMagic.size() || std::ranges::find(made.ends, size) != made.ends.end();
    BOOST_TEST(result.damaged == !at_border);
    BOOST_TEST(!result.ended);
  }
}

BOOST_AUTO_TEST_CASE(a_changed_byte_ends_the_log_before_its_record) {
  const Made made = MakeFile();
  for (std::size_t at = 0; at < made.file.size(); ++at) {
    std::string changed = made.file;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    Recorder recorder;
    const WalReadResult result = ReadWal(changed, recorder);
    BOOST_TEST(result.damaged);
    const auto whole =
        static_cast<std::size_t>(std::ranges::count_if(made.ends, [&](std::size_t end) { return end <= at; }));
    BOOST_TEST(recorder.lines.size() == (at < kWalMagic.size() ? 0 : whole));
  }
}

BOOST_AUTO_TEST_CASE(a_log_that_could_not_be_begun_leaves_no_file_and_can_be_made_later) {
  const test::TempFolder folder;
  const std::string path = folder.path() + "/wal-1.log";
  bool created = true;
  {
    const test::FileSizeLimit full(4);
    created = WalFile::Create(path).has_value();
  }
  BOOST_TEST(!created);
  BOOST_TEST(!std::filesystem::exists(path));
  BOOST_TEST(WalFile::Create(path).has_value());
}

BOOST_AUTO_TEST_CASE(zeroes_after_the_end_are_damage_and_not_records) {
  Made made = MakeFile();
  const std::size_t good = made.file.size();
  made.file.append(4096, '\0');
  Recorder recorder;
  const WalReadResult result = ReadWal(made.file, recorder);
  BOOST_TEST(result.damaged);
  BOOST_TEST(result.good_bytes == good);
}

}  // namespace
}  // namespace pipewarden::rules
