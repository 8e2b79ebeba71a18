#include "agent/server/json_text.h"

#include <cstdint>

#include "rules/promql/text.h"

namespace pipewarden::agent {

void AppendJsonString(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string repaired;
  if (!core::IsValidUtf8(text)) {
    repaired = core::ToValidUtf8(text);
    text = repaired;
  }
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == '<' || c == '>' || c == '&' || c == 0x7f) {
          out += "\\u00";
          out += kHex[static_cast<unsigned char>(c) >> 4U];
          out += kHex[static_cast<unsigned char>(c) & 15U];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

std::string JsonString(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  AppendJsonString(out, text);
  return out;
}

void AppendJsonLabels(std::string& out, const core::Labels& labels) {
  out += '{';
  bool first = true;
  for (const core::Label& label : labels) {
    if (!first) out += ',';
    first = false;
    AppendJsonString(out, label.name);
    out += ':';
    AppendJsonString(out, label.value);
  }
  out += '}';
}

void AppendJsonValue(std::string& out, double value) {
  out += '"';
  out += rules::promql::FormatSample(value);
  out += '"';
}

void AppendJsonTime(std::string& out, std::int64_t ms) {
  if (ms < 0) {
    out += '-';
    ms = -ms;
  }
  out += std::to_string(ms / 1000);
  if (const auto rest = static_cast<int>(ms % 1000); rest != 0) {
    char digits[4] = {'.', static_cast<char>('0' + rest / 100), static_cast<char>('0' + rest / 10 % 10),
                      static_cast<char>('0' + rest % 10)};
    std::string_view fraction(digits, 4);
    while (fraction.ends_with('0')) fraction.remove_suffix(1);
    out += fraction;
  }
}

}  // namespace pipewarden::agent
