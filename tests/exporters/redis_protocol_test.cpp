#include "exporters/redis_protocol.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <ostream>

namespace pipewarden::exporters {
namespace {

BOOST_AUTO_TEST_SUITE(redis_protocol)

BOOST_AUTO_TEST_CASE(a_command_is_an_array_of_bulk_strings) {
  BOOST_TEST(RedisCommand({"AUTH", "se cret"}) == "*2\r\n$4\r\nAUTH\r\n$7\r\nse cret\r\n");
}

struct Case {
  std::string_view in;
  RedisRead read;
  std::string_view text = {};
  bool is_error = false;
  std::string_view rest = {};
  friend std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.in; }
};
const Case kCases[] = {
    {"+PONG\r\n:1\r\n", RedisRead::kReply, "PONG", false, ":1\r\n"},
    {":12\r\n", RedisRead::kReply, "12"},
    {"-NOAUTH Authentication required.\r\n", RedisRead::kReply, "NOAUTH Authentication required.", true},
    {"$6\r\na:1\r\nb\r\n+", RedisRead::kReply, "a:1\r\nb", false, "+"},
    {"$0\r\n\r\n", RedisRead::kReply, ""},
    {"$-1\r\n", RedisRead::kReply, ""},
    {"", RedisRead::kMore},
    {"+PON", RedisRead::kMore, "", false, "+PON"},
    {"$6\r\nabc", RedisRead::kMore, "", false, "$6\r\nabc"},
    {"$3\r\nabcd\r\n", RedisRead::kBad, "", false, "$3\r\nabcd\r\n"},
    {"$x\r\n", RedisRead::kBad, "", false, "$x\r\n"},
    {"$99999999999999999999\r\n", RedisRead::kBad, "", false, "$99999999999999999999\r\n"},
    {"$2000000\r\n", RedisRead::kBad, "", false, "$2000000\r\n"},
    {"*1\r\n$1\r\na\r\n", RedisRead::kBad, "", false, "*1\r\n$1\r\na\r\n"},
    {"HTTP/1.1 400 Bad Request\r\n", RedisRead::kBad, "", false, "HTTP/1.1 400 Bad Request\r\n"},
};

BOOST_DATA_TEST_CASE(replies_are_taken_one_by_one, kCases, one) {
  std::string_view in = one.in;
  RedisReply reply;
  BOOST_TEST((TakeRedisReply(in, reply) == one.read));
  BOOST_TEST(in == one.rest);
  if (one.read != RedisRead::kReply) return;
  BOOST_TEST(reply.text == one.text);
  BOOST_TEST(reply.is_error == one.is_error);
}

BOOST_AUTO_TEST_CASE(info_is_read_line_by_line) {
  const auto info = ParseRedisInfo("# Server\r\nredis_version:7.0.15\r\n\r\nnonsense\r\nexecutable:/a:b\r\nlast:1");
  BOOST_TEST(info.size() == 3U);
  BOOST_TEST(info.at("redis_version") == "7.0.15");
  BOOST_TEST(info.at("executable") == "/a:b");
  BOOST_TEST(info.at("last") == "1");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::exporters
