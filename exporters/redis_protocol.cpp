#include "exporters/redis_protocol.h"

#include <charconv>
#include <cstdint>

namespace pipewarden::exporters {
namespace {

constexpr std::int64_t kMaxBulk = 1 << 20;
constexpr std::size_t kMaxLine = 64U << 10U;

}  // namespace

std::string RedisCommand(std::initializer_list<std::string_view> words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string_view word : words) {
    out += "$" + std::to_string(word.size()) + "\r\n";
    out += word;
    out += "\r\n";
  }
  return out;
}

RedisRead TakeRedisReply(std::string_view& in, RedisReply& reply) {
  if (in.empty()) return RedisRead::kMore;
  const char type = in[0];
  if (type != '+' && type != '-' && type != ':' && type != '$') return RedisRead::kBad;
  const std::size_t end = in.find("\r\n");
  if (end == std::string_view::npos) return in.size() > kMaxLine ? RedisRead::kBad : RedisRead::kMore;
  const std::string_view line = in.substr(1, end - 1);
  if (type != '$') {
    reply = {type == '-', std::string(line)};
    in.remove_prefix(end + 2);
    return RedisRead::kReply;
  }
  std::int64_t size = 0;
  const auto [last, error] = std::from_chars(line.data(), line.data() + line.size(), size);
  if (error != std::errc{} || last != line.data() + line.size() || size < -1 || size > kMaxBulk) return RedisRead::kBad;
  const std::string_view rest = in.substr(end + 2);
  reply = {};
  if (size < 0) {  // null
    in = rest;
    return RedisRead::kReply;
  }
  const auto bytes = static_cast<std::size_t>(size);
  if (rest.size() < bytes + 2) return RedisRead::kMore;
  if (rest.substr(bytes, 2) != "\r\n") return RedisRead::kBad;
  reply.text = rest.substr(0, bytes);
  in = rest.substr(bytes + 2);
  return RedisRead::kReply;
}

std::map<std::string, std::string, std::less<>> ParseRedisInfo(std::string_view text) {
  std::map<std::string, std::string, std::less<>> info;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t colon = line.find(':');
    if (!line.starts_with('#') && colon != std::string_view::npos)
      info.emplace(line.substr(0, colon), line.substr(colon + 1));
  }
  return info;
}

}  // namespace pipewarden::exporters
