#include "agent/step/output.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace pipewarden::agent::step {
namespace {

std::string Mask(const std::vector<std::string>& secrets, std::string_view text, std::size_t block) {
  Masker masker(secrets);
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += block) masker.Feed(text.substr(at, block), out);
  masker.Flush(out);
  return out;
}

struct MaskCase {
  std::vector<std::string> secrets;
  std::string text, expected;
};
std::ostream& operator<<(std::ostream& out, const MaskCase& test) { return out << test.text; }

const MaskCase kMaskCases[] = {
    {{}, "nothing to hide", "nothing to hide"},
    {{""}, "an empty one hides nothing", "an empty one hides nothing"},
    {{"hunter2"}, "pw=hunter2;", "pw=<secret>;"},
    {{"hunter2"}, "hunter2hunter2", "<secret><secret>"},
    {{"hunter2"}, "hunter and hunhunter2", "hunter and hun<secret>"},
    {{"abc", "abcdef"}, "abcdef abcde abc", "<secret> <secret>de <secret>"},
    {{"aab"}, "aaab aa", "a<secret> aa"},
    {{"two\nlines"}, "two\nlines\n", "<secret>\n"},
    {{"abcd", "bc"}, "abc", "a<secret>"},
};

BOOST_AUTO_TEST_SUITE(step_output)

BOOST_DATA_TEST_CASE(secrets_are_masked_wherever_reads_cut_them, boost::unit_test::data::make(kMaskCases), test) {
  for (std::size_t block = 1; block <= test.text.size(); ++block)
    BOOST_TEST(Mask(test.secrets, test.text, block) == test.expected);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_a_secret_is_not_held_back) {
  Masker masker({"hunter2"});
  std::string out;
  masker.Feed("progress 50% h", out);
  BOOST_TEST(out == "progress 50% ");
  masker.Feed("alf", out);
  BOOST_TEST(out == "progress 50% half");
}

struct MemoryFile {
  int fd = memfd_create("output", MFD_CLOEXEC);
  ~MemoryFile() { close(fd); }
  std::string Read() const {
    std::string text(static_cast<std::size_t>(lseek(fd, 0, SEEK_END)), '\0');
    BOOST_REQUIRE(pread(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    return text;
  }
};

BOOST_AUTO_TEST_CASE(output_within_the_bound_stays_as_it_is) {
  MemoryFile file;
  BoundedFile output(file.fd, 2048);
  const std::string text(2048, 'x');
  output.Write(text);
  BOOST_TEST(file.Read() == text);
}

BOOST_AUTO_TEST_CASE(head_and_tail_stay_in_whole_lines) {
  MemoryFile file;
  BoundedFile output(file.fd, 4096);
  std::size_t written = 0;
  for (int line = 0; line < 5000; ++line) {
    const std::string text = "line " + std::to_string(line) + "\n";
    output.Write(text);
    written += text.size();
    BOOST_REQUIRE(lseek(file.fd, 0, SEEK_END) <= 4096);
  }
  const std::string kept = file.Read();
  BOOST_TEST(kept.starts_with("line 0\nline 1\n"));
  BOOST_TEST(kept.ends_with("line 4998\nline 4999\n"));
  const std::size_t marker = kept.find("\n[pipewarden: ");
  const std::size_t end = kept.find("]\n", marker);
  BOOST_REQUIRE(end != std::string::npos);
  BOOST_TEST(kept[marker - 1] == '\n');
  BOOST_TEST(kept.substr(end + 2).starts_with("line "));
  const std::size_t left_out = std::stoul(kept.substr(marker + 14));
  BOOST_TEST(left_out + kept.size() - (end + 2 - marker) == written);
}

BOOST_AUTO_TEST_CASE(one_endless_line_is_cut_between_characters) {
  MemoryFile file;
  BoundedFile output(file.fd, 1024);
  for (int i = 0; i < 3000; ++i) output.Write("\xE2\x82\xAC");  // €
  const std::string kept = file.Read();
  const std::size_t marker = kept.find("\n[pipewarden: ");
  const std::size_t end = kept.find("]\n", marker);
  BOOST_TEST(marker % 3 == 0U);
  BOOST_TEST((kept.size() - end - 2) % 3 == 0U);
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_counted_not_waited_for) {
  const int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
  BoundedFile output(fd, 4096);
  output.Write("lost");
  output.Write(" words");
  BOOST_TEST(output.lost_bytes() == 10U);
  close(fd);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent::step
