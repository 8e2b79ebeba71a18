// What a Redis client needs to ask how a server is: commands and replies of the Redis serialization protocol (RESP2),
// and the text of INFO. Stateless; safe from any thread.
//
// Source implemented: redis.io, "Redis serialization protocol specification" and "INFO".
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

namespace pipewarden::exporters {

// A command as an array of bulk strings.
std::string RedisCommand(std::initializer_list<std::string_view> words);

struct RedisReply {
  bool is_error = false;
  std::string text;  // of a simple string, an error (without its -), a bulk string or a number
};

enum class RedisRead { kReply, kMore, kBad };
// Takes the first reply off `in`, where it is whole; kMore leaves `in` as it is. Arrays are kBad: nothing that is asked
// here is answered by one. A bulk string may have a MiB.
RedisRead TakeRedisReply(std::string_view& in, RedisReply& reply);

// The lines "key:value" of INFO.
std::map<std::string, std::string, std::less<>> ParseRedisInfo(std::string_view text);

}  // namespace pipewarden::exporters
