#include "core/store/journal.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/support/temp_folder.h"

namespace pipewarden::core {
namespace {

using Records = std::vector<std::string>;

// Does `left` operations, then every one fails, as after a kill: nothing changes on the disk any more. The write that
// is cut off leaves half of its bytes.
class DyingFiles final : public FileOperations {
 public:
  explicit DyingFiles(int left) : left_(left) {}
  bool dead() const { return left_ < 0; }
  int Open(const std::string& path, int flags) override { return Spent() ? -1 : FileOperations::Open(path, flags); }
  ssize_t Write(int fd, const void* data, std::size_t size) override {
    if (!Spent()) return FileOperations::Write(fd, data, size);
    if (left_ == -1 && size > 1) FileOperations::Write(fd, data, size / 2);
    return -1;
  }
  int Truncate(int fd, off_t size) override { return Spent() ? -1 : FileOperations::Truncate(fd, size); }
  int Sync(int fd) override { return Spent() ? -1 : FileOperations::Sync(fd); }
  int Rename(const std::string& from, const std::string& to) override {
    return Spent() ? -1 : FileOperations::Rename(from, to);
  }
  int Unlink(const std::string& path) override { return Spent() ? -1 : FileOperations::Unlink(path); }

 private:
  bool Spent() {
    errno = EIO;
    return --left_ < 0;
  }
  int left_;
};

// A disk that is full for a while, after half of the bytes.
class FullDisk final : public FileOperations {
 public:
  bool full = false;
  ssize_t Write(int fd, const void* data, std::size_t size) override {
    if (!full) return FileOperations::Write(fd, data, size);
    if (!half_ && size > 1) {
      half_ = true;
      return FileOperations::Write(fd, data, size / 2);
    }
    half_ = false;
    errno = ENOSPC;
    return -1;
  }

 private:
  bool half_ = false;
};

struct Fixture {
  pipewarden::test::TempFolder folder;
  std::string said;
  Logger logger{
      LogLevel::kError, LogFormat::kLogfmt,
      [](void* context, std::string_view line) { static_cast<std::string*>(context)->append(line).append("\n"); },
      &said};

  Result<Journal> Open(Records& records, FileOperations& files = FileOperations::Real()) {
    records.clear();
    return Journal::Open(
        folder.path(), "alerts", [&](std::string_view record) { records.emplace_back(record); }, logger, files);
  }
  Records Replay() {
    Records records;
    const auto journal = Open(records);
    BOOST_REQUIRE(journal.has_value());
    return records;
  }
  // Writes `state` as a checkpoint, and between its first and its last step appends `meanwhile`.
  static Result<void> Checkpoint(Journal& journal, const Records& state, std::string_view meanwhile = {}) {
    auto writer = journal.BeginCheckpoint();
    if (!writer) return Fail(writer.error());
    Result<void> appended;
    if (!meanwhile.empty()) appended = journal.Append(meanwhile);
    Result<void> written;
    for (const std::string& record : state)
      if (written) written = (*writer)->Write(std::span(&record, 1));
    if (written) written = (*writer)->Finish();
    journal.EndCheckpoint(**writer);
    return written ? appended : written;
  }
  std::size_t Files() const {  // without what was set aside
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      files += entry.path().extension() == ".corrupt" ? 0U : 1U;
    return files;
  }
};

BOOST_FIXTURE_TEST_SUITE(journal, Fixture)

BOOST_AUTO_TEST_CASE(what_was_appended_comes_back) {
  const Records written = {"one", "", std::string("nul\0", 4), std::string(100'000, 'x')};
  Records before;
  {
    auto journal = Open(before);
    BOOST_TEST(before.empty());
    BOOST_TEST(journal->Append(written[0]).has_value());
    BOOST_TEST(journal->Append(std::span(written).subspan(1)).has_value());
    BOOST_TEST(!journal->WantsCheckpoint());
  }
  BOOST_TEST(Replay() == written, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_checkpoint_replaces_what_was_before) {
  Records records;
  {
    auto journal = Open(records);
    for (int i = 0; i < 12; ++i) BOOST_TEST(journal->Append(std::string(100'000, 'x')).has_value());
    BOOST_TEST(journal->WantsCheckpoint());
    BOOST_TEST(Checkpoint(*journal, {"state 1", "state 2"}).has_value());
    BOOST_TEST(!journal->WantsCheckpoint());
    BOOST_TEST(journal->Append("after").has_value());
    BOOST_TEST(Files() == 2U);
  }
  BOOST_TEST(Replay() == (Records{"state 1", "state 2", "after"}), boost::test_tools::per_element());
  {
    auto journal = Open(records);
    BOOST_TEST(Checkpoint(*journal, {}).has_value());
  }
  BOOST_TEST(Replay().empty());
}

BOOST_AUTO_TEST_CASE(a_torn_tail_is_cut_wherever_it_is_torn) {
  {
    Records records;
    auto journal = Open(records);
    BOOST_TEST(journal->Append("first").has_value());
    BOOST_TEST(journal->Append("second").has_value());
  }
  const std::string whole = folder.Read("alerts.0.journal");
  for (std::size_t size = 13; size < whole.size(); ++size) {
    folder.Write("alerts.0.journal", whole.substr(0, size));
    Records records;
    {
      auto journal = Open(records);
      BOOST_TEST(records == Records{"first"}, boost::test_tools::per_element());
      BOOST_TEST(journal->DamagedRecords() == (size > 13 ? 1U : 0U));
      BOOST_TEST(journal->Append("third").has_value());
    }
    BOOST_TEST(Replay() == (Records{"first", "third"}), boost::test_tools::per_element());
    if (size > 13) BOOST_TEST(folder.Read("alerts.0.journal.corrupt") == whole.substr(13, size - 13));
  }
  BOOST_TEST(said.find("does not read back") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(no_flipped_bit_goes_unseen) {
  {
    Records records;
    auto journal = Open(records);
    BOOST_TEST(journal->Append("first").has_value());
    BOOST_TEST(journal->Append("second").has_value());
  }
  const std::string whole = folder.Read("alerts.0.journal");
  for (std::size_t bit = 13 * 8; bit < whole.size() * 8; ++bit) {
    std::string bad = whole;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    folder.Write("alerts.0.journal", bad);
    BOOST_TEST(Replay() == Records{"first"}, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(a_run_of_zeros_is_no_record) {
  folder.Write("alerts.0.journal", std::string(4096, '\0'));
  BOOST_TEST(Replay().empty());
}

// A kill between any two file operations of a checkpoint, and the appends around it: what was acknowledged is there.
BOOST_DATA_TEST_CASE(a_kill_at_any_operation_loses_nothing, boost::unit_test::data::xrange(30), operations) {
  Records records;
  {
    auto journal = Open(records);
    BOOST_TEST(Checkpoint(*journal, {"a"}).has_value());
    BOOST_TEST(journal->Append("b").has_value());
  }
  Records acknowledged = {"a", "b"};
  DyingFiles files(operations);
  {
    auto journal = Open(records, files);
    if (journal) {
      BOOST_TEST(records == acknowledged, boost::test_tools::per_element());
      if (journal->Append("c")) acknowledged.emplace_back("c");
      if (auto writer = journal->BeginCheckpoint(); writer) {
        const Records state = acknowledged;
        if (journal->Append("d")) acknowledged.emplace_back("d");
        (void)(*writer)->Write(std::span(state).first(1));
        if (journal->Append("e")) acknowledged.emplace_back("e");
        (void)(*writer)->Write(std::span(state).subspan(1));
        (void)(*writer)->Finish();
        journal->EndCheckpoint(**writer);
      }
      if (journal->Append("f")) acknowledged.emplace_back("f");
    }
  }
  const Records after = Replay();
  // The checkpoint's state is the same content as the log it replaces, so that both outcomes read alike.
  BOOST_TEST(after == acknowledged, boost::test_tools::per_element());
  {
    auto journal = Open(records);
    BOOST_TEST(journal->Append("later").has_value());
    acknowledged.emplace_back("later");
    BOOST_TEST(Checkpoint(*journal, acknowledged).has_value());
    BOOST_TEST(Files() == 2U);
  }
  BOOST_TEST(Replay() == acknowledged, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_full_disk_refuses_and_leaves_no_half_record) {
  Records records;
  FullDisk disk;
  {
    auto journal = Open(records, disk);
    BOOST_TEST(journal->Append("kept").has_value());
    disk.full = true;
    const auto refused = journal->Append("refused");
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST((refused.error().code == ErrorCode::kLimit));
    BOOST_TEST((Checkpoint(*journal, {"kept"}).error().code == ErrorCode::kLimit));
    disk.full = false;
    BOOST_TEST(journal->Append("after").has_value());
  }
  BOOST_TEST(Replay() == (Records{"kept", "after"}), boost::test_tools::per_element());
  BOOST_TEST(Files() == 2U);  // the journal, and the next one that the checkpoint had begun; no half checkpoint
}

BOOST_AUTO_TEST_CASE(a_checkpoint_that_failed_is_tried_again_when_the_log_has_doubled) {
  Records records;
  FullDisk disk;
  auto journal = Open(records, disk);
  const auto grow = [&] { BOOST_TEST(journal->Append(std::string(700'000, 'x')).has_value()); };
  grow();
  grow();
  BOOST_TEST(journal->WantsCheckpoint());
  disk.full = true;
  BOOST_TEST(!Checkpoint(*journal, {"state"}).has_value());
  disk.full = false;
  grow();
  BOOST_TEST(!journal->WantsCheckpoint());
  grow();
  grow();
  BOOST_TEST(journal->WantsCheckpoint());
  BOOST_TEST(Checkpoint(*journal, {"state"}, "meanwhile").has_value());
  BOOST_TEST(!journal->WantsCheckpoint());
  BOOST_TEST(Replay() == (Records{"state", "meanwhile"}), boost::test_tools::per_element());
  BOOST_TEST(Files() == 2U);
}

BOOST_AUTO_TEST_CASE(a_checkpoint_that_is_given_up_leaves_nothing) {
  Records records;
  auto journal = Open(records);
  BOOST_TEST(journal->Append("one").has_value());
  {
    auto writer = journal->BeginCheckpoint();
    BOOST_TEST((*writer)->Write(records).has_value());
    BOOST_TEST(journal->Append("two").has_value());
    BOOST_TEST(Files() == 3U);
  }
  BOOST_TEST(Files() == 2U);
  BOOST_TEST(Replay() == (Records{"one", "two"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_damaged_checkpoint_gives_what_it_can) {
  Records records;
  {
    auto journal = Open(records);
    BOOST_TEST(Checkpoint(*journal, {"one", "two"}).has_value());
    BOOST_TEST(journal->Append("three").has_value());
  }
  const std::string whole = folder.Read("alerts.1.checkpoint");
  folder.Write("alerts.1.checkpoint", whole.substr(0, 15));
  BOOST_TEST(Replay() == (Records{"one", "three"}), boost::test_tools::per_element());
  BOOST_TEST(folder.Read("alerts.1.checkpoint.corrupt") == whole.substr(11, 4));
}

BOOST_AUTO_TEST_CASE(names_that_begin_alike_keep_apart) {
  Records records;
  auto journal = Open(records);
  BOOST_TEST(journal->Append("mine").has_value());
  auto other = Journal::Open(folder.path(), "alerts.0", [&](std::string_view r) { records.emplace_back(r); }, logger);
  BOOST_TEST(other->Append("theirs").has_value());
  BOOST_TEST(Checkpoint(*journal, {"mine"}).has_value());
  BOOST_TEST(Replay() == Records{"mine"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::core
