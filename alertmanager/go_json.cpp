#include "alertmanager/go_json.h"

#include <cstdio>

#include "core/text/escape.h"

namespace pipewarden::alertmanager {

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
  core::AppendJsonString(out_, name);
  out_ += ':';
  first_ = true;  // the value follows without a comma
  return *this;
}

GoJson& GoJson::Text(std::string_view value) {
  Comma();
  core::AppendJsonString(out_, value);
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
  for (const core::LabelView label : labels) Field(label.name, label.value);
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
