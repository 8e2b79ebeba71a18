// Go's built-in template functions (text/template/funcs.go tells what each does).
#include <algorithm>
#include <array>
#include <cstdio>

#include "core/template/format.h"
#include "core/template/template.h"
#include "core/text/escape.h"
#include "core/text/go_string.h"
#include "core/text/url.h"
#include "core/text/utf8.h"

namespace pipewarden::core {
namespace {

std::string JsEscape(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::string_view before = text;
    const char32_t rune = TakeUtf8(text);
    std::array<char, 16> code{};
    switch (rune) {
      case '\\':
        out += "\\\\";
        break;
      case '\'':
        out += "\\'";
        break;
      case '"':
        out += "\\\"";
        break;
      case '<':
        out += "\\u003C";
        break;
      case '>':
        out += "\\u003E";
        break;
      case '&':
        out += "\\u0026";
        break;
      case '=':
        out += "\\u003D";
        break;
      default:
        if (rune < 0x20 || GoQuoteRune(rune)[1] == '\\') {
          std::snprintf(code.data(), code.size(), rune < 0x80 ? "\\u00%02X" : "\\u%04X", static_cast<unsigned>(rune));
          out += code.data();
        } else {
          out += before.substr(0, before.size() - text.size());
        }
    }
  }
  return out;
}

using Args = std::span<const Value>;
using Kind = Value::Kind;

std::unexpected<Error> Bad(std::string message) { return Fail(ErrorCode::kInvalid, std::move(message)); }

bool IsBasic(const Value& value) { return value.kind() >= Kind::kBool && value.kind() <= Kind::kString; }

// What html, js and urlquery work on.
std::string TextOf(Args args) {
  if (args.size() == 1 && args[0].is(Kind::kString)) return args[0].string();
  std::vector<Value> values(args.begin(), args.end());
  for (Value& value : values) {
    if (value.is_nil()) value = Value::String("<no value>");
  }
  return GoSprint(values);
}

Result<std::int64_t> Index(const Value& index, std::size_t cap) {
  if (index.is_nil()) return Bad("cannot index slice/array with nil");
  if (!index.is(Kind::kInt)) return Bad("cannot index slice/array with type " + index.TypeName());
  const std::int64_t at = index.integer();
  if (at < 0 || static_cast<std::uint64_t>(at) > cap) return Bad("index out of range: " + std::to_string(at));
  return at;
}

Result<Value> IndexOne(const Value& item, const Value& index) {
  static const ValueType kByte{.name = "uint8"};
  if (item.is(Kind::kMap)) {
    if (index.is_nil()) return Bad("value is nil; should be of type string");
    if (!index.is(Kind::kString) || index.type() != nullptr)
      return Bad("value has type " + index.TypeName() + "; should be string");
    const auto found = item.map().entries.find(index.string());
    if (found != item.map().entries.end()) return found->second;
    return item.map().of_strings ? Value::String("") : Value();
  }
  if (!item.is(Kind::kList) && !item.is(Kind::kString)) {
    return item.is_nil() ? Bad("index of nil pointer") : Bad("can't index item of type " + item.TypeName());
  }
  const std::size_t size = item.is(Kind::kList) ? item.list().size() : item.string().size();
  const auto at = Index(index, size);
  if (!at) return std::unexpected(at.error());
  const auto position = static_cast<std::size_t>(*at);
  if (position >= size) {
    return Bad(item.is(Kind::kList) ? "reflect: slice index out of range" : "reflect: string index out of range");
  }
  if (item.is(Kind::kList)) return item.list()[position];
  return Value::Int(static_cast<unsigned char>(item.string()[position])).As(kByte);
}

Result<Value> IndexAll(Args args) {
  if (args[0].is_nil()) return Bad("index of untyped nil");
  Value item = args[0];
  for (const Value& index : args.subspan(1)) {
    auto next = IndexOne(item, index);
    if (!next) return next;
    item = std::move(*next);
  }
  return item;
}

Result<Value> Slice(Args args) {
  const Value& item = args[0];
  if (item.is_nil()) return Bad("slice of untyped nil");
  if (args.size() > 4) return Bad("too many slice indexes: " + std::to_string(args.size() - 1));
  if (item.is(Kind::kString) && args.size() == 4) return Bad("cannot 3-index slice a string");
  if (!item.is(Kind::kString) && !item.is(Kind::kList)) return Bad("can't slice item of type " + item.TypeName());
  const std::size_t size = item.is(Kind::kString) ? item.string().size() : item.list().size();
  std::array<std::int64_t, 3> at = {0, static_cast<std::int64_t>(size), static_cast<std::int64_t>(size)};
  for (std::size_t i = 1; i < args.size(); ++i) {
    const auto index = Index(args[i], size);
    if (!index) return std::unexpected(index.error());
    at[i - 1] = *index;
  }
  const auto order = [](std::int64_t a, std::int64_t b) {
    return Bad("invalid slice index: " + std::to_string(a) + " > " + std::to_string(b));
  };
  if (at[0] > at[1]) return order(at[0], at[1]);
  if (args.size() == 4 && at[1] > at[2]) return order(at[1], at[2]);
  const auto from = static_cast<std::size_t>(at[0]);
  const auto count = static_cast<std::size_t>(at[1] - at[0]);
  const Value part = item.is(Kind::kString)
                         ? Value::String(item.string().substr(from, count))
                         : Value::List(ValueList(item.list().begin() + at[0], item.list().begin() + at[1]));
  return item.type() != nullptr ? part.As(*item.type()) : part;
}

Result<Value> Length(Args args) {
  switch (args[0].kind()) {
    case Kind::kString:
      return Value::Int(static_cast<std::int64_t>(args[0].string().size()));
    case Kind::kList:
      return Value::Int(static_cast<std::int64_t>(args[0].list().size()));
    case Kind::kMap:
      return Value::Int(static_cast<std::int64_t>(args[0].map().entries.size()));
    case Kind::kNil:
      return Bad("reflect: call of reflect.Value.Type on zero Value");
    default:
      return Bad("len of type " + args[0].TypeName());
  }
}

Result<Value> Equal(Args args) {
  if (args.size() < 2) return Bad("missing argument for comparison");
  for (const Value& other : args.subspan(1)) {
    const auto equal = ValuesEqual(args[0], other);
    if (!equal) return std::unexpected(equal.error());
    if (*equal) return Value::Bool(true);
  }
  return Value::Bool(false);
}

// a <= b, or its negation.
Result<Value> LessOrEqual(Args args, bool negate) {
  auto result = ValueLess(args[0], args[1]);
  if (result && !*result) result = ValuesEqual(args[0], args[1]);
  if (!result) return std::unexpected(result.error());
  return Value::Bool(*result != negate);
}

Result<Value> Less(Args args, bool negate) {
  const auto result = ValueLess(args[0], args[1]);
  if (!result) return std::unexpected(result.error());
  return Value::Bool(*result != negate);
}

FunctionTable MakeTable() {
  const std::vector<Param> one = {Param::kAny};
  const std::vector<Param> two = {Param::kAny, Param::kAny};
  const auto text = [](std::string (*escape)(std::string_view)) {
    return [escape](Args args) -> Result<Value> { return Value::String(escape(TextOf(args))); };
  };
  FunctionTable table;
  table["and"] = {two, true, [](Args args) -> Result<Value> { return args.back(); }};
  table["or"] = table["and"];
  table["not"] = {one, false, [](Args args) -> Result<Value> { return Value::Bool(!args[0].Truth()); }};
  table["len"] = {one, false, &Length};
  table["index"] = {two, true, &IndexAll};
  table["slice"] = {two, true, &Slice};
  table["print"] = {one, true, [](Args args) -> Result<Value> { return Value::String(GoSprint(args)); }};
  table["println"] = {one, true, [](Args args) -> Result<Value> { return Value::String(GoSprintln(args)); }};
  table["printf"] = {{Param::kString, Param::kAny}, true, [](Args args) -> Result<Value> {
                       return Value::String(GoSprintf(args[0].string(), args.subspan(1)));
                     }};
  table["html"] = {one, true, text(&EscapeHtml)};
  table["js"] = {one, true, text(&JsEscape)};
  table["urlquery"] = {one, true, text(&UrlQueryEscape)};
  table["eq"] = {two, true, &Equal};
  table["ne"] = {two, false, [](Args args) -> Result<Value> {
                   const auto equal = ValuesEqual(args[0], args[1]);
                   if (!equal) return std::unexpected(equal.error());
                   return Value::Bool(!*equal);
                 }};
  table["lt"] = {two, false, [](Args args) { return Less(args, false); }};
  table["le"] = {two, false, [](Args args) { return LessOrEqual(args, false); }};
  table["gt"] = {two, false, [](Args args) { return LessOrEqual(args, true); }};
  table["ge"] = {two, false, [](Args args) { return Less(args, true); }};
  // Runs in the executor, which can name what was called.
  table["call"] = {two, true, [](Args) -> Result<Value> { return Bad("call of a value that is no function"); }};
  return table;
}

}  // namespace

const FunctionTable& BuiltinFunctions() {
  static const FunctionTable table = MakeTable();
  return table;
}

namespace {

// Go's kind of what is not basic: a time is a struct, a type "*X" a pointer.
char CompositeKind(const Value& value) {
  switch (value.kind()) {
    case Kind::kList:
      return 'l';
    case Kind::kMap:
      return 'm';
    default:
      return value.TypeName().starts_with('*') ? 'p' : 's';
  }
}

// Whether Go compares values of its type with ==: no maps and slices, nor structs that hold some.
bool IsComparable(const Value& value) {
  if (value.is(Kind::kTime) || !value.is(Kind::kStruct)) return value.is(Kind::kTime);
  return CompositeKind(value) == 'p' ||
         std::ranges::all_of(value.fields().fields, [](const auto& field) { return IsBasic(field.second); });
}

bool SameStruct(const Value& a, const Value& b) {
  if (a.is(Kind::kTime) && b.is(Kind::kTime)) return a.time().SameInstant(b.time()) && a.time().zone == b.time().zone;
  return a.kind() == b.kind() && a.type() == b.type() && a.ToString() == b.ToString();
}

}  // namespace

Result<bool> ValuesEqual(const Value& a, const Value& b) {
  if (a.is_nil() || b.is_nil()) return a.is_nil() && b.is_nil();
  if (!IsBasic(a) && !IsBasic(b)) {
    if (CompositeKind(a) != CompositeKind(b)) {
      return Bad("non-comparable types " + a.ToString() + ": " + a.TypeName() + ", " + b.TypeName() + ": " +
                 b.ToString());
    }
    if (!IsComparable(b)) return Bad("non-comparable type " + b.ToString() + ": " + b.TypeName());
    return SameStruct(a, b);
  }
  if (a.kind() != b.kind()) return Bad("incompatible types for comparison: " + a.TypeName() + " and " + b.TypeName());
  switch (a.kind()) {
    case Kind::kBool:
      return a.boolean() == b.boolean();
    case Kind::kInt:
      return a.integer() == b.integer();
    case Kind::kFloat:
      return a.number() == b.number();
    default:
      return a.string() == b.string();
  }
}

Result<bool> ValueLess(const Value& a, const Value& b) {
  if (!IsBasic(a) || !IsBasic(b)) return Bad("invalid type for comparison");
  if (a.kind() != b.kind()) {
    return Bad("incompatible types for comparison: " + a.TypeName() + " and " + b.TypeName());
  }
  switch (a.kind()) {
    case Kind::kInt:
      return a.integer() < b.integer();
    case Kind::kFloat:
      return a.number() < b.number();
    case Kind::kString:
      return a.string() < b.string();
    default:
      return Bad("invalid type for comparison");
  }
}

}  // namespace pipewarden::core
