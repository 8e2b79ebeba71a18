#include "core/text/url.h"

#include <algorithm>

namespace pipewarden::core {

std::string UrlEscape(std::string_view text, std::string_view also) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || c == '-' || c == '.' || c == '_' || c == '~' || also.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    }
  }
  return out;
}

std::string UrlQueryEscape(std::string_view text) {
  std::string out = UrlEscape(text, " ");
  std::ranges::replace(out, ' ', '+');
  return out;
}

}  // namespace pipewarden::core
