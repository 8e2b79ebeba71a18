// Replies of a Redis server and its INFO: reading never crashes, what is taken is gone from the input, and how the
// bytes arrive makes no difference.
#include <cstdint>
#include <cstdlib>

#include "exporters/redis_protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pipewarden::exporters;
  const std::string_view whole(reinterpret_cast<const char*>(data), size);
  std::string_view in = whole;
  RedisReply reply;
  while (true) {
    const std::string_view before = in;
    const RedisRead read = TakeRedisReply(in, reply);
    if (read != RedisRead::kReply) {
      if (in != before) std::abort();
      break;
    }
    const std::size_t taken = before.size() - in.size();
    if (taken == 0) std::abort();
    std::string_view less = before.substr(0, taken - 1);
    RedisReply part;
    if (TakeRedisReply(less, part) != RedisRead::kMore) std::abort();
    ParseRedisInfo(reply.text);
  }
  ParseRedisInfo(whole);
  return 0;
}
