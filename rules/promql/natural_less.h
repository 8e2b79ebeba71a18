// Natural order of strings: runs of digits compare as numbers, so that "4m5" stands before "4m600". Internal to
// rules/promql.
#pragma once

#include <string_view>

namespace pipewarden::rules::promql {

inline bool NaturalLess(std::string_view a, std::string_view b) {
  const auto digit = [](std::string_view text) { return !text.empty() && text[0] >= '0' && text[0] <= '9'; };
  const auto number = [&](std::string_view& text) {
    std::size_t end = 0;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
    const std::string_view run = text.substr(0, end);
    text.remove_prefix(end);
    return run;
  };
  while (!a.empty() && !b.empty()) {
    if (!digit(a) || !digit(b)) {
      if (a[0] != b[0]) return static_cast<unsigned char>(a[0]) < static_cast<unsigned char>(b[0]);
      a.remove_prefix(1);
      b.remove_prefix(1);
      continue;
    }
    std::string_view left = number(a);
    std::string_view right = number(b);
    const std::size_t left_length = left.size();
    const std::size_t right_length = right.size();
    while (left.size() > 1 && left[0] == '0') left.remove_prefix(1);
    while (right.size() > 1 && right[0] == '0') right.remove_prefix(1);
    if (left.size() != right.size()) return left.size() < right.size();
    if (left != right) return left < right;
    if (left_length != right_length) return left_length < right_length;
  }
  return a.size() < b.size();
}

}  // namespace pipewarden::rules::promql
