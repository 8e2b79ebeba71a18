#include "core/text/url.h"

#include <boost/test/unit_test.hpp>

namespace pipewarden::core {
namespace {

BOOST_AUTO_TEST_CASE(urls_are_escaped_byte_by_byte) {
  BOOST_TEST(UrlEscape("aZ09-._~") == "aZ09-._~");
  BOOST_TEST(UrlEscape("a b/c?d=e&f+g%") == "a%20b%2Fc%3Fd%3De%26f%2Bg%25");
  BOOST_TEST(UrlEscape("\u00e9\n") == "%C3%A9%0A");
  BOOST_TEST(UrlEscape("Hadoop:service=NameNode,name=*", ":=,*") == "Hadoop:service=NameNode,name=*");
}

BOOST_AUTO_TEST_CASE(a_query_has_plus_for_a_space) {
  BOOST_TEST(UrlQueryEscape("up == 0 and a+b*~") == "up+%3D%3D+0+and+a%2Bb%2A~");
}

}  // namespace
}  // namespace pipewarden::core
