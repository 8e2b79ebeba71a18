#include "core/text/go_string.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <optional>
#include <ostream>

namespace pipewarden::core {
namespace {

BOOST_AUTO_TEST_SUITE(go_string)

using namespace std::string_view_literals;

// Of Go 1.26's strconv.Unquote.
struct UnquoteCase {
  std::string_view quoted;
  std::optional<std::string_view> text;
};
std::ostream& operator<<(std::ostream& out, const UnquoteCase& c) { return out << c.quoted; }
const UnquoteCase kUnquoted[] = {
    {"\"plain\"", "plain"},
    {"\"\"", ""},
    {R"("\a\b\f\n\r\t\v\\\"")", "\a\b\f\n\r\t\v\\\""},
    {R"("\'")", {}},
    {R"('\"')", {}},
    {R"('\'')", "'"},
    {"'a'", "a"},
    {"'ab'", {}},
    {"'\u4e16'", "\u4e16"},
    {R"('\x41')", "A"},
    {R"('\xff')", "\xff"},
    {R"("\x41\x4")", {}},
    {R"("\xff")", "\xff"},
    {R"("\377")", "\xff"},
    {R"("\400")", {}},
    {R"("\08")", {}},
    {R"("\101\060")", "A0"},
    {R"("\u00e9")", "\u00e9"},
    {R"("\ud800")", {}},
    {R"("\U0001f600")", "\U0001f600"},
    {R"("\U00110000")", {}},
    {R"("\q")", {}},
    {R"("\")", {}},
    {"\"a", {}},
    {"a\"", {}},
    {"\"", {}},
    {"", {}},
    {"`raw\\n`", "raw\\n"},
    {"`cr\r\nlf`", "cr\nlf"},
    {"`a`b`", {}},
    {"\"line\nend\"", {}},
    {"\"a\"b\"", {}},
    {"\"\xff\"", "\uFFFD"},
    {"'\xff'", "\uFFFD"},
    {R"("\u12")", {}},
    {"\"\u4e16\u754c\"", "\u4e16\u754c"},
    {"\"tab\there\"", "tab\there"},
    {R"("\xZZ")", {}},
    {R"("\U0000004")", {}},
    {R"("\x+1")", {}},
};

BOOST_DATA_TEST_CASE(quoted_text_is_read_as_go_reads_it, boost::unit_test::data::make(kUnquoted), c) {
  const auto text = GoUnquote(c.quoted);
  BOOST_TEST(text.has_value() == c.text.has_value());
  if (text && c.text) BOOST_TEST(*text == *c.text);
}

BOOST_AUTO_TEST_CASE(two_single_quotes_alone_are_no_character) { BOOST_TEST(!GoUnquote("''").has_value()); }

BOOST_AUTO_TEST_CASE(what_stands_between_quotes_may_be_long_and_hold_the_other_quote) {
  BOOST_TEST(GoUnescape(R"(it\x27s "so")", '\'').value() == "it's \"so\"");
  BOOST_TEST(!GoUnescape("it's", '\'').has_value());
}

BOOST_AUTO_TEST_CASE(characters_are_taken_one_by_one) {
  std::string_view rest = R"(\xe9\u00e9z\)";
  auto c = TakeGoChar(rest, '"');
  BOOST_TEST((c && c->is_byte && c->value == 0xE9));
  c = TakeGoChar(rest, '"');
  BOOST_TEST((c && !c->is_byte && c->value == 0xE9));
  c = TakeGoChar(rest, '"');
  BOOST_TEST((c && !c->is_byte && c->value == 'z'));
  BOOST_TEST(!TakeGoChar(rest, '"').has_value());
  BOOST_TEST(rest == "\\");
}

struct QuoteCase {
  std::string_view text;
  std::string_view quoted;
};
std::ostream& operator<<(std::ostream& out, const QuoteCase& c) { return out << c.quoted; }
const QuoteCase kQuoted[] = {
    {"plain", "\"plain\""},
    {"q\"b\\s'", R"("q\"b\\s'")"},
    {"\a\b\f\n\r\t\v\0\x1f\x7f"sv, R"("\a\b\f\n\r\t\v\x00\x1f\x7f")"},
    {"\u00e9\u4e16\U0001f600", "\"\u00e9\u4e16\U0001f600\""},
    {"\u00a0\u00ad\u200b\u2028\u3000\ufeff", R"("\u00a0\u00ad\u200b\u2028\u3000\ufeff")"},
    {"\ufffd", "\"\ufffd\""},
    {"\xff\xc0\x80", R"("\xff\xc0\x80")"},
    {"\ue000\U000e0001\U0010ffff", R"("\ue000\U000e0001\U0010ffff")"},
};

BOOST_DATA_TEST_CASE(text_is_quoted_as_go_quotes_it, boost::unit_test::data::make(kQuoted), c) {
  BOOST_TEST(GoQuote(c.text) == c.quoted);
  if (c.quoted.find("\\x") == std::string_view::npos) BOOST_TEST(GoUnquote(c.quoted).value() == c.text);
}

BOOST_AUTO_TEST_CASE(a_character_is_quoted_as_go_quotes_it) {
  BOOST_TEST(GoQuoteRune('a') == "'a'");
  BOOST_TEST(GoQuoteRune('\'') == R"('\'')");
  BOOST_TEST(GoQuoteRune('"') == R"('"')");
  BOOST_TEST(GoQuoteRune('\n') == R"('\n')");
  BOOST_TEST(GoQuoteRune(0x2028) == R"('\u2028')");
  BOOST_TEST(GoQuoteRune(0x1F600) == "'\U0001f600'");
  BOOST_TEST(GoQuoteRune(0xD800) == "'\uFFFD'");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::core
