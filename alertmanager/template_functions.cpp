#include "alertmanager/template_functions.h"

#include <algorithm>

#include "alertmanager/template_data.h"
#include "core/template/text_functions.h"
#include "core/text/go_string.h"

namespace pipewarden::alertmanager {
namespace {

using core::ErrorCode;
using core::Fail;
using core::FunctionTable;
using core::Param;
using core::Result;
using core::Value;
using Args = std::span<const Value>;

std::unexpected<core::Error> Bad(std::string message) { return Fail(ErrorCode::kInvalid, std::move(message)); }

std::string TrimSpace(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return std::string(text);
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

Result<Value> UrlUnescape(Args args) {
  const std::string& text = args[0].string();
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else if (i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 && HexDigit(text[i + 2]) >= 0) {
      out += static_cast<char>(static_cast<unsigned char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2])));
      i += 2;
    } else {
      return Bad("invalid URL escape " + core::GoQuote(std::string_view(text).substr(i, 3)));
    }
  }
  return Value::String(std::move(out));
}

Result<Value> Join(Args args) {
  std::string out;
  if (args[1].is_nil()) return Value::String("");
  bool first = true;
  for (const Value& item : args[1].list()) {
    if (!first) out += args[0].string();
    first = false;
    out += item.string();
  }
  return Value::String(std::move(out));
}

Result<Value> InZone(Args args) {
  core::ZonedTime time = args[1].time();
  auto zone = core::TimeZone::Find(args[0].string());
  if (!zone) return Bad("unknown time zone " + args[0].string());
  time.zone = std::move(*zone);
  return Value::Time(std::move(time));
}

Result<Value> ParseDate(Args args) {
  auto time = core::ParseGoTime(args[0].string(), args[1].string());
  if (!time) return std::unexpected(time.error());
  return Value::Time(std::move(*time));
}

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string Base64Encode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
    const unsigned bits = byte(i) << 16U | byte(i + 1) << 8U | byte(i + 2);
    out += kBase64[bits >> 18U];
    out += kBase64[bits >> 12U & 63U];
    out += i + 1 < text.size() ? kBase64[bits >> 6U & 63U] : '=';
    out += i + 2 < text.size() ? kBase64[bits & 63U] : '=';
  }
  return out;
}

// As Go's encoding/base64: line ends are skipped, the place of what is wrong is told as it does.
Result<Value> Base64Decode(Args args) {
  const std::string& text = args[0].string();
  const auto bad = [](std::size_t at) { return Bad("illegal base64 data at input byte " + std::to_string(at)); };
  std::size_t at = 0;
  const auto skip = [&] {
    while (at < text.size() && (text[at] == '\n' || text[at] == '\r')) ++at;
  };
  std::string out;
  for (;;) {
    unsigned bits = 0;
    std::size_t digits = 0;
    while (digits < 4) {
      skip();
      if (at == text.size()) {
        if (digits == 0) return Value::String(std::move(out));
        return bad(at - digits);
      }
      const std::size_t digit = kBase64.find(text[at++]);
      if (digit == std::string_view::npos) break;
      bits = bits << 6U | static_cast<unsigned>(digit);
      ++digits;
    }
    if (digits < 4) {  // padding, then the end
      if (text[at - 1] != '=' || digits < 2) return bad(at - 1);
      if (digits == 2) {
        skip();
        if (at == text.size()) return bad(at);
        if (text[at] != '=') return bad(at - 1);
        ++at;
      }
      skip();
      if (at < text.size()) return bad(at);
      bits <<= 6U * (4 - digits);
    }
    for (std::size_t j = 0; j + 1 < digits; ++j)
      out += static_cast<char>(static_cast<unsigned char>(bits >> (16U - 8U * j)));
    if (digits < 4) return Value::String(std::move(out));
  }
}

Result<Value> Dict(Args args) {
  if (args.size() % 2 != 0) return Bad("dict requires an even number of arguments");
  core::ValueMap map;
  map.of_strings = false;
  for (std::size_t i = 0; i < args.size(); i += 2) {
    if (!args[i].is(Value::Kind::kString)) return Bad("dict keys must be strings");
    map.entries[args[i].string()] = args[i + 1];
  }
  return Value::Map(std::move(map));
}

Result<Value> Append(Args args) {
  core::ValueList list = args[0].is_nil() ? core::ValueList() : args[0].list();
  list.insert(list.end(), args.begin() + 1, args.end());
  return Value::List(std::move(list));
}

core::Function OfText(std::string (*call)(std::string_view)) {
  return {
      {Param::kString}, false, [call](Args args) -> Result<Value> { return Value::String(call(args[0].string())); }};
}

FunctionTable MakeTable() {
  constexpr Param kText = Param::kString;
  FunctionTable table;
  core::AddTextFunctions(table);
  table["title"] = OfText([](std::string_view text) { return core::TitleCase(text, true); });
  table["trimSpace"] = OfText(&TrimSpace);
  table["base64encode"] = OfText(&Base64Encode);
  table["base64decode"] = {{kText}, false, &Base64Decode};
  table["join"] = {{kText, Param::kStringList}, false, &Join};
  table["safeUrl"] = {{kText}, false, [](Args args) -> Result<Value> { return args[0].As(core::kUrlType); }};
  table["urlUnescape"] = {{kText}, false, &UrlUnescape};
  table["stringSlice"] = {{kText}, true, [](Args args) -> Result<Value> {
                            static const core::ValueType type{.name = "[]string", .of_strings = true};
                            return Value::List(core::ValueList(args.begin(), args.end())).As(type);
                          }};
  table["date"] = {{kText, Param::kTime}, false, [](Args args) -> Result<Value> {
                     return Value::String(core::FormatGoTime(args[1].time(), args[0].string()));
                   }};
  table["tz"] = {{kText, Param::kTime}, false, &InZone};
  table["mustToDate"] = {{kText, kText}, false, &ParseDate};
  table["toDate"] = {{kText, kText}, false, [](Args args) -> Result<Value> {
                       return ParseDate(args).value_or(Value::Time(core::ZonedTime()));
                     }};
  table["toJson"] = {
      {Param::kAny}, false, [](Args args) -> Result<Value> { return Value::String(ValueToJson(args[0])); }};
  table["list"] = {{Param::kAny}, true, [](Args args) -> Result<Value> {
                     return Value::List(core::ValueList(args.begin(), args.end()));
                   }};
  table["append"] = {{Param::kAnyList, Param::kAny}, true, &Append};
  table["dict"] = {{Param::kAny}, true, &Dict};
  table["routeLabels"] = {{kText}, false, {}};
  table["since"] = {{Param::kTime}, false, {}};
  table["now"] = {{}, false, {}};
  return table;
}

}  // namespace

std::shared_ptr<const FunctionTable> TemplateFunctions() {
  static const auto table = std::make_shared<const FunctionTable>(MakeTable());
  return table;
}

FunctionTable FunctionsAt(core::WallTime now) {
  FunctionTable table;
  const Value time = Value::Time(core::ZonedTime::From(now));
  table["now"] = {{}, false, [time](Args) -> Result<Value> { return time; }};
  table["since"] = {{Param::kTime}, false, [time](Args args) -> Result<Value> {
                      return core::kTimeType.Find("Sub")->call(time, args);
                    }};
  return table;
}

}  // namespace pipewarden::alertmanager
