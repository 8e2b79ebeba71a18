#include "agent/server/json_text.h"

#include <cstdint>

#include "core/text/escape.h"
#include "rules/promql/text.h"

namespace pipewarden::agent {

void AppendJsonLabels(std::string& out, const core::Labels& labels) {
  out += '{';
  bool first = true;
  for (const core::LabelView label : labels) {
    if (!first) out += ',';
    first = false;
    core::AppendJsonString(out, label.name);
    out += ':';
    core::AppendJsonString(out, label.value);
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
