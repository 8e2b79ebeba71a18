#include "alertmanager/go_json.h"

#include <cstdio>

namespace pipewarden::alertmanager {

void AppendGoJsonString(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  // The one pass that most strings need: nothing to escape, all ASCII or valid UTF-8.
  std::string fixed;
  if (!core::IsValidUtf8(text)) {
    // Go escapes each bad byte alone; ToValidUtf8 would take a run of them together.
    while (!text.empty()) {
      std::size_t length = 1;
      while (length <= 4 && length <= text.size() && !core::IsValidUtf8(text.substr(0, length))) ++length;
      if (length > 4 || length > text.size()) {
        fixed += "\xEF\xBF\xBD";
        text.remove_prefix(1);
      } else {
        fixed += text.substr(0, length);
        text.remove_prefix(length);
      }
    }
    text = fixed;
  }
  out += '"';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || c == '<' || c == '>' || c == '&') {
      out += "\\u00";
      out += kHex[byte >> 4U];
      out += kHex[byte & 0xFU];
    } else if (byte == 0xE2 &&
               (text.substr(i).starts_with("\xE2\x80\xA8") || text.substr(i).starts_with("\xE2\x80\xA9"))) {
      out += text[i + 2] == '\xA8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else if (!fixed.empty() && text.substr(i).starts_with("\xEF\xBF\xBD")) {
      out += "\\ufffd";
      i += 2;
    } else {
      out += c;
    }
  }
  out += '"';
}

void GoJson::Comma() {
  if (!first_) out_ += ',';
  first_ = false;
}

GoJson& GoJson::Open(char bracket) {
  Comma();
  out_ += bracket;
  first_ = true;
  return *this;
}

GoJson& GoJson::Close(char bracket) {
  out_ += bracket;
  first_ = false;
  return *this;
}

GoJson& GoJson::Key(std::string_view name) {
  Comma();
  AppendGoJsonString(out_, name);
  out_ += ':';
  first_ = true;  // the value follows without a comma
  return *this;
}

GoJson& GoJson::Text(std::string_view value) {
  Comma();
  AppendGoJsonString(out_, value);
  return *this;
}

GoJson& GoJson::Number(std::int64_t value) { return Raw(std::to_string(value)); }
GoJson& GoJson::Bool(bool value) { return Raw(value ? "true" : "false"); }
GoJson& GoJson::Null() { return Raw("null"); }

GoJson& GoJson::Raw(std::string_view json) {
  Comma();
  out_ += json;
  return *this;
}

GoJson& GoJson::Map(const core::Labels& labels) {
  Open('{');
  for (const core::Label& label : labels) Field(label.name, label.value);
  return Close('}');
}

GoJson& GoJson::TextList(std::span<const std::string> values) {
  Open('[');
  for (const std::string& value : values) Text(value);
  return Close(']');
}

std::string GoTime(core::WallTime time) {
  if (time == core::WallTime{}) return "0001-01-01T00:00:00Z";
  using namespace std::chrono;
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  std::string out = text;
  if (const auto nanos = duration_cast<nanoseconds>(clock.subseconds()).count(); nanos != 0) {
    std::snprintf(text, sizeof text, ".%09d", static_cast<int>(nanos));
    out += text;
    while (out.back() == '0') out.pop_back();
  }
  return out += 'Z';
}

}  // namespace pipewarden::alertmanager
