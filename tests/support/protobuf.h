// Writes protobuf and snappy by hand, for what our readers are tested with.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace pipewarden::test {

inline std::string Varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80U; value >>= 7U) out += static_cast<char>(value | 0x80U);
  return out + static_cast<char>(value);
}
inline std::string Bytes(std::uint64_t field, std::string_view bytes) {
  return Varint(field << 3U | 2U) + Varint(bytes.size()) + std::string(bytes);
}
inline std::string Int(std::uint64_t field, std::int64_t value) {
  return Varint(field << 3U) + Varint(static_cast<std::uint64_t>(value));
}
inline std::string Double(std::uint64_t field, double value) {
  std::string out = Varint(field << 3U | 1U);
  const auto bits = std::bit_cast<std::uint64_t>(value);
  for (unsigned i = 0; i < 8; ++i) out += static_cast<char>(bits >> (8U * i));
  return out;
}
// One literal: a valid block that compresses nothing.
inline std::string Snappy(std::string_view plain) {
  std::string out = Varint(plain.size());
  if (plain.empty()) return out;
  out += static_cast<char>(63U << 2U);
  for (unsigned i = 0; i < 4; ++i) out += static_cast<char>((plain.size() - 1) >> (8U * i));
  return out + std::string(plain);
}

}  // namespace pipewarden::test
