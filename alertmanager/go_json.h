// JSON as Go's encoding/json writes it, so that what we send is byte for byte what Alertmanager sends: keys in the
// order of the calls, no spaces, < > & and U+2028/9 escaped, invalid UTF-8 as \ufffd. A writer over one string; not
// thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/model/labels.h"
#include "core/time/clock.h"

namespace pipewarden::alertmanager {

class GoJson {
 public:
  GoJson& Open(char bracket);   // '{' or '['
  GoJson& Close(char bracket);  // '}' or ']'
  GoJson& Key(std::string_view name);
  GoJson& Text(std::string_view value);
  GoJson& Number(std::int64_t value);
  GoJson& Bool(bool value);
  GoJson& Null();
  GoJson& Map(const core::Labels& labels);  // {} where empty
  GoJson& Raw(std::string_view json);       // a finished value

  // Key and value; `OrOmit` writes nothing for an empty value (Go's omitempty).
  GoJson& Field(std::string_view name, std::string_view value) { return Key(name).Text(value); }
  GoJson& FieldOrOmit(std::string_view name, std::string_view value) {
    return value.empty() ? *this : Key(name).Text(value);
  }
  GoJson& TextList(std::span<const std::string> values);

  std::string Take() { return std::move(out_); }

 private:
  void Comma();
  std::string out_;
  bool first_ = true;  // no value yet in the open bracket
};

// RFC 3339 with nanoseconds, zeros at the end left out, in UTC; the zero time is 0001-01-01T00:00:00Z.
std::string GoTime(core::WallTime time);

}  // namespace pipewarden::alertmanager
