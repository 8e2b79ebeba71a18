// What rotation does to log files: numbered lines are written through each fault, and each is counted once.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/exporters/logs/log_node.h"

namespace pipewarden::exporters {
namespace {

using namespace std::chrono_literals;

BOOST_FIXTURE_TEST_SUITE(rotation, LogNode)

BOOST_AUTO_TEST_CASE(lines_are_counted_as_they_come) {
  Start();
  BOOST_TEST(Value("lines_total") == 0);
  Write("app.log", 10);
  Poll();
  ExpectAll();
  const int fd = Open("app.log");
  const std::string line = Next();
  BOOST_REQUIRE(::write(fd, line.data(), 10) == 10);
  Poll();
  BOOST_TEST(Value("lines_total") == 10);
  BOOST_REQUIRE(::write(fd, line.data() + 10, line.size() - 10) > 0);
  ::close(fd);
  Poll();
  ExpectAll();
  BOOST_TEST(Value("last") == 11);
}

BOOST_AUTO_TEST_CASE(a_writer_keeps_the_old_descriptor_after_a_rename) {
  Start();
  const int old = Open("app.log");
  Write(old, 1000);
  Poll();
  Rename("app.log", "app.log.1");
  Write("app.log", 500);
  Write(old, 500);
  Poll();
  for (int i = 0; i < 6; ++i) {  // 1.5 s
    Write(old, 100);
    Write("app.log", 10);
    Poll();
  }
  ExpectAll();
  // And much later, when the descriptor was given up long ago.
  PollFor(60s);
  Write(old, 7);
  PollFor(10s);
  ExpectAll();
  ::close(old);
  Rename("app.log.1", "app.log.2");
  Rename("app.log", "app.log.1");
  Write("app.log", 3);
  PollFor(10s);
  ExpectAll();
}

BOOST_AUTO_TEST_CASE(three_renames_inside_one_poll) {
  Start();
  Write("app.log", 100);
  Poll();
  Write("app.log", 200);
  for (int i = 0; i < 3; ++i) {
    for (int k = 3; k > 0; --k)
      if (std::filesystem::exists(File("app.log." + std::to_string(k))))
        Rename("app.log." + std::to_string(k), "app.log." + std::to_string(k + 1));
    Rename("app.log", "app.log.1");
    Write("app.log", 300);
  }
  PollFor(2s);
  ExpectAll();
  BOOST_TEST(Value("last") == static_cast<double>(count));
}

BOOST_AUTO_TEST_CASE(the_name_is_missing_for_a_while) {
  Start();
  Write("app.log", 10);
  Poll();
  Rename("app.log", "app.log-20260314");
  PollFor(3s);
  Write("app.log", 10);
  PollFor(1s);
  ExpectAll();
}

BOOST_AUTO_TEST_CASE(older_generations_are_history) {
  for (const char* name : {"app.log.1", "app.log.2"}) std::ofstream(File(name)) << "line n=999\nline n=998\n";
  Start();
  Write("app.log", 5);
  PollFor(3s);
  ExpectAll();
  // But what is written to them from now on counts.
  Write("app.log.1", 4);
  PollFor(10s);
  ExpectAll();
}

BOOST_AUTO_TEST_CASE(copytruncate_with_little_regrowth) {
  Start();
  const int fd = Open("app.log");
  Write(fd, 1000);
  Poll();
  CopyTruncate("app.log", "app.log.1");
  Write(fd, 10);
  PollFor(3s);
  ExpectAll();
  CopyTruncate("app.log", "app.log.1");
  Write(fd, 10);
  PollFor(3s);
  ExpectAll();
  ::close(fd);
}

BOOST_AUTO_TEST_CASE(lines_written_between_poll_and_copytruncate_come_from_the_copy) {
  Start();
  const int fd = Open("app.log");
  Write(fd, 100);
  Poll();
  Write(fd, 50);
  CopyTruncate("app.log", "app.log.1");
  Write(fd, 20);
  PollFor(3s);
  ExpectAll();
  Write(fd, 5);
  CopyTruncate("app.log", "app.log.2");
  Write(fd, 300);  // beyond the old offset
  PollFor(3s);
  ExpectAll();
  ::close(fd);
}

BOOST_AUTO_TEST_CASE(a_copy_that_is_seen_before_the_truncation) {
  Start();
  const int fd = Open("app.log");
  Write(fd, 100);
  Poll();
  Write(fd, 50);
  std::filesystem::copy_file(File("app.log"), File("app.log.1"));
  Poll();
  ExpectAll();
  std::filesystem::resize_file(File("app.log"), 0);
  Write(fd, 5);
  PollFor(3s);
  ExpectAll();
  ::close(fd);
}

BOOST_AUTO_TEST_CASE(a_copy_that_is_still_growing_is_not_taken_for_a_log) {
  Start();
  Write("app.log", 1000);
  Poll();
  const std::string whole = folder.Read("logs/app.log");
  for (std::size_t size = 100; size < whole.size(); size += whole.size() / 5) {
    folder.Write("logs/app.log.1", whole.substr(0, size));
    Poll();
  }
  folder.Write("logs/app.log.1", whole);
  PollFor(5s);
  ExpectAll();
}

BOOST_AUTO_TEST_CASE(a_backup_beside_the_log_is_not_counted) {
  Start();
  Write("app.log", 100);
  PollFor(1s);
  std::filesystem::copy_file(File("app.log"), File("app.log.20260314"));
  Write("app.log", 100);
  PollFor(5s);
  Rename("app.log", "app.log.1");
  Write("app.log", 100);
  PollFor(15s);
  ExpectAll();
}

BOOST_AUTO_TEST_CASE(a_backup_is_put_back_in_place_of_the_log) {
  Start();
  Write("app.log", 100);
  PollFor(1s);
  std::filesystem::copy_file(File("app.log"), File("app.log.1"));
  PollFor(20s);
  Rename("app.log.1", "app.log");
  Write("app.log", 50);
  PollFor(15s);
  ExpectAll();
}

BOOST_AUTO_TEST_CASE(truncated_and_grown_past_the_old_offset) {
  Start();
  Write("app.log", 10);
  Poll();
  std::filesystem::resize_file(File("app.log"), 0);
  Write("app.log", 2000);
  PollFor(1s);
  ExpectAll();
}

BOOST_AUTO_TEST_CASE(a_writer_without_append_leaves_nuls) {
  Start();
  const int fd = ::open(File("app.log").c_str(), O_WRONLY | O_CREAT, 0644);
  Write(fd, 5000);
  Poll();
  std::filesystem::resize_file(File("app.log"), 0);
  Write(fd, 10);  // at its old position
  PollFor(1s);
  ExpectAll();
  ::close(fd);
}

BOOST_AUTO_TEST_CASE(unlinked_written_on_and_created_again) {
  Start();
  const int old = Open("app.log");
  Write(old, 300);
  Poll();
  std::filesystem::remove(File("app.log"));
  Write(old, 300);
  Poll();
  PollFor(1s);
  Write(old, 10);
  ::close(old);
  Write("app.log", 300);
  PollFor(15s);
  ExpectAll();
}

BOOST_AUTO_TEST_CASE(a_reused_inode_is_another_file) {
  Start();
  for (int i = 0; i < 20; ++i) {
    Write("app.log", 30);
    PollFor(i % 2 == 0 ? 500ms : 15s);
    std::filesystem::remove(File("app.log"));
    if (i % 3 == 0) PollFor(15s);  // the descriptor is closed by then, and the inode is free
  }
  Write("app.log", 100);
  PollFor(1s);
  ExpectAll();
}

BOOST_AUTO_TEST_CASE(a_replacement_is_unreadable_for_a_while) {
  if (::geteuid() == 0) {
    BOOST_TEST_MESSAGE("skipped: root reads everything; the folder's part is tested instead");
  }
  Start();
  Write("app.log", 10);
  Poll();
  Rename("app.log", "app.log.1");
  Write("app.log", 10);
  std::filesystem::permissions(File("app.log"), std::filesystem::perms::none);
  PollFor(2s);
  std::filesystem::permissions(File("app.log"), std::filesystem::perms::owner_all);
  PollFor(1s);
  ExpectAll();
}

BOOST_AUTO_TEST_CASE(dated_names_by_a_pattern) {
  path = "'app-*.log'";
  Start();
  for (int day = 10; day < 30; ++day) {
    Write("app-2026-03-" + std::to_string(day) + ".log", 20);
    Poll();
  }
  ExpectAll();
}

BOOST_AUTO_TEST_CASE(a_pattern_that_names_the_rotated_files_too) {
  path = "'app.log*'";
  Start();
  const int fd = Open("app.log");
  Write(fd, 100);
  Poll();
  Rename("app.log", "app.log.1");
  Write(fd, 10);
  ::close(fd);
  Write("app.log", 50);
  PollFor(1s);
  ExpectAll();
  Write("app.log", 10);
  CopyTruncate("app.log", "app.log.2");
  Write("app.log", 10);
  PollFor(5s);
  ExpectAll();
  std::ofstream(File("app.log.3.gz")) << "line n=1000\n";
  PollFor(1s);
  ExpectAll();
}

BOOST_AUTO_TEST_CASE(the_last_line_of_a_rotated_file_counts_without_its_newline) {
  Start();
  Write("app.log", 10);
  std::string line = Next();
  line.pop_back();
  folder.Append("logs/app.log", line);
  Poll();
  BOOST_TEST(Value("lines_total") == 10);
  Rename("app.log", "app.log.1");
  PollFor(15s);
  ExpectAll();
}

BOOST_AUTO_TEST_CASE(a_line_that_is_too_long_is_cut_and_its_rest_is_no_line) {
  options = "start: beginning, max_line: 1KB";
  Start();
  Write("app.log", 3);
  std::string text = "line n=" + std::to_string(++count) + " ";
  sum += count;
  folder.Append("logs/app.log", text + std::string(3'000'000, 'x') + " line n=77 ");
  Poll();
  Poll();
  folder.Append("logs/app.log", "line n=78\n");
  Write("app.log", 3);
  Poll();
  ExpectAll();
  BOOST_TEST(worker->Counts().cut == 1U);
  BOOST_TEST(worker->Counts().lines == 7U);
}

BOOST_AUTO_TEST_CASE(what_was_there_before_is_skipped_unless_asked_for) {
  options = "start: end";
  folder.Write("logs/app.log", "line n=1000\nline n=20");
  Start();
  folder.Append("logs/app.log", "00\n");  // the end of a line that had begun
  Write("app.log", 2);
  Poll();
  ExpectAll();
  // A file that appears later is read from its beginning.
  path = "'*.log'";
  worker->Apply(Config());
  Poll();
  Write("other.log", 2);
  Poll();
  ExpectAll();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::exporters
