#include "alertmanager/mail_message.h"

#include <boost/test/unit_test.hpp>

namespace pipewarden::alertmanager {
namespace {

BOOST_AUTO_TEST_SUITE(mail_message)

BOOST_AUTO_TEST_CASE(headers_are_q_encoded_where_they_must) {
  BOOST_TEST(EncodeHeader("[FIRING:1] foo c1 (prod x)") == "[FIRING:1] foo c1 (prod x)");
  BOOST_TEST(EncodeHeader("é_?= x") == "=?utf-8?q?=C3=A9=5F=3F=3D_x?=");
}

BOOST_AUTO_TEST_CASE(no_value_can_forge_a_header) {
  const std::string forged = EncodeHeader("x\r\nBcc: thief@example.org\r\n\r\n<b>");
  BOOST_TEST(forged.find('\n') == std::string::npos);
  BOOST_TEST(forged == "=?utf-8?q?x=0D=0ABcc:_thief@example.org=0D=0A=0D=0A<b>?=");
}

BOOST_AUTO_TEST_CASE(long_words_are_split_between_code_points) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "é";
  const std::string encoded = EncodeHeader(text);
  std::size_t start = 0;
  int words = 0;
  while (start < encoded.size()) {
    const std::size_t end = std::min(encoded.find("\r\n ", start), encoded.size());
    const std::string word = encoded.substr(start, end - start);
    BOOST_TEST(word.size() <= 75U);
    BOOST_TEST(word.starts_with("=?utf-8?q?"));
    BOOST_TEST(word.ends_with("?="));
    BOOST_TEST((word.size() - 12) % 6 == 0U);  // whole =C3=A9 pairs
    start = end + 3;
    ++words;
  }
  BOOST_TEST(words == 6);
}

BOOST_AUTO_TEST_CASE(quoted_printable) {
  BOOST_TEST(QuotedPrintable("<b>foo é</b>") == "<b>foo =C3=A9</b>");
  BOOST_TEST(QuotedPrintable("a \nb\t\r\nc=d ") == "a=20\r\nb=09\r\nc=3Dd=20");
  const std::string lines = QuotedPrintable(std::string(200, 'x'));
  BOOST_TEST(lines == std::string(75, 'x') + "=\r\n" + std::string(75, 'x') + "=\r\n" + std::string(50, 'x'));
}

BOOST_AUTO_TEST_CASE(address_lists) {
  const auto list = ParseAddressList("a@example.org, \"Doe, J\" <b@example.org> ,c@x").value();
  BOOST_REQUIRE(list.size() == 3U);
  BOOST_TEST(list[1].address == "b@example.org");
  for (const char* bad : {"", "a", "a@b, ", "a@b\r\nRCPT TO:<c@d>", "<a@b> <c@d> x", "a@", "@b", "a b@c"})
    BOOST_TEST(!ParseAddressList(bad).has_value(), bad);
}

BOOST_AUTO_TEST_CASE(the_whole_as_alertmanager_writes_it) {
  MailMessage mail;
  mail.headers = {{"Subject", "[FIRING:1] foo"}, {"To", "a@example.org"}};
  mail.text = "plain firing";
  mail.html = "<b>foo é</b>";
  mail.boundary = "B";
  BOOST_TEST(RenderMail(mail) ==
             "Subject: [FIRING:1] foo\r\nTo: a@example.org\r\n"
             "Content-Type: multipart/alternative;  boundary=B\r\nMIME-Version: 1.0\r\n\r\n"
             "--B\r\nContent-Transfer-Encoding: quoted-printable\r\nContent-Type: text/plain; "
             "charset=UTF-8\r\n\r\nplain firing"
             "\r\n--B\r\nContent-Transfer-Encoding: quoted-printable\r\nContent-Type: text/html; charset=UTF-8\r\n\r\n"
             "<b>foo =C3=A9</b>\r\n--B--\r\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::alertmanager
