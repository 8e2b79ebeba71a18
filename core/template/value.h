// The dynamic values of templates, modelled on what Go's text/template sees by reflection: nil, bool, int, float64,
// string, time.Time, slices, maps with string keys and structs, each of which may have a named type with methods (a KV
// map, a Duration, template.HTML). Values are immutable and cheap to copy (lists, maps and structs are shared). Safe
// from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/model/labels.h"
#include "core/result.h"
#include "core/time/civil_time.h"

namespace pipewarden::core {

class Value;
struct ValueType;

// What a function takes. An argument of another kind is an error, worded as Go's.
enum class Param : std::uint8_t {
  kAny,
  kString,
  kInt,
  kFloat,
  kBool,
  kTime,
  kDuration,
  kList,        // any slice
  kAnyList,     // []interface {} alone
  kStringList,  // []string, or a type of it
  kMap,         // any map
};

struct Function {
  std::vector<Param> params;
  bool variadic = false;  // the last of `params` stands for any number of arguments
  // The arguments have been checked against `params`. An error ends the execution: "error calling NAME: MESSAGE".
  std::function<Result<Value>(std::span<const Value> args)> call;
};
using FunctionTable = std::map<std::string, Function, std::less<>>;

using ValueList = std::vector<Value>;
struct ValueMap {
  std::map<std::string, Value, std::less<>> entries;
  bool of_strings = true;  // map[string]string: a missing key gives "", otherwise nil
};
struct ValueStruct {
  std::vector<std::pair<std::string_view, Value>> fields;  // names are literals
};

class Value {
 public:
  enum class Kind : std::uint8_t { kNil, kBool, kInt, kFloat, kString, kTime, kList, kMap, kStruct };

  Value() = default;  // nil
  // One constructor each, by name, so that no conversion chooses for the reader.
  static Value Nil() { return {}; }
  static Value Bool(bool value) { return Value(Data(value)); }
  static Value Int(std::int64_t value) { return Value(Data(value)); }
  static Value Float(double value) { return Value(Data(value)); }
  static Value String(std::string value) { return Value(Data(std::move(value))); }
  static Value Time(ZonedTime time);
  static Value Duration(core::Duration duration);
  static Value List(ValueList list);
  static Value StringList(const std::vector<std::string>& list);
  static Value Map(ValueMap map);
  static Value StringMap(const Labels& labels);
  static Value Struct(ValueStruct fields);
  // The same value under a named type. `type` must outlive it (a constant).
  Value As(const ValueType& type) const {
    Value typed = *this;
    typed.type_ = &type;
    return typed;
  }

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is(Kind kind) const { return this->kind() == kind; }
  bool is_nil() const { return is(Kind::kNil); }
  const ValueType* type() const { return type_; }
  bool IsType(const ValueType& type) const { return type_ == &type; }

  // Preconditions: the kind.
  bool boolean() const { return std::get<bool>(data_); }
  std::int64_t integer() const { return std::get<std::int64_t>(data_); }
  double number() const { return std::get<double>(data_); }
  const std::string& string() const { return std::get<std::string>(data_); }
  const ZonedTime& time() const { return *std::get<std::shared_ptr<const ZonedTime>>(data_); }
  const ValueList& list() const { return *std::get<std::shared_ptr<const ValueList>>(data_); }
  const ValueMap& map() const { return *std::get<std::shared_ptr<const ValueMap>>(data_); }
  const ValueStruct& fields() const { return *std::get<std::shared_ptr<const ValueStruct>>(data_); }
  core::Duration duration() const { return core::Duration{integer()}; }

  // Go's truth: not the zero of its kind, not empty; a struct (and a time) is always true.
  bool Truth() const;
  // Go's type name, for messages and %T: "int", "[]interface {}", "template.KV".
  std::string TypeName() const;
  // As fmt.Sprint prints it alone (%v). Nil is "<nil>".
  std::string ToString() const;

 private:
  using Data = std::variant<std::monostate, bool, std::int64_t, double, std::string, std::shared_ptr<const ZonedTime>,
                            std::shared_ptr<const ValueList>, std::shared_ptr<const ValueMap>,
                            std::shared_ptr<const ValueStruct>>;
  explicit Value(Data data) : data_(std::move(data)) {}

  Data data_;
  const ValueType* type_ = nullptr;
};

struct ValueMethod {
  std::string_view name;
  std::vector<Param> params;
  Result<Value> (*call)(const Value& self, std::span<const Value> args);
  std::string_view unfit = {};  // why no template can call it: its complaint
};

// A named Go type. Constants: `const ValueType kKv{"template.KV", {{"Names", {}, &KvNames}}};`
struct ValueType {
  std::string_view name;
  std::vector<ValueMethod> methods = {};
  std::string (*to_string)(const Value&) = nullptr;  // fmt.Stringer
  bool of_strings = false;                           // a list of strings

  const ValueMethod* Find(std::string_view method) const;
};

// time.Time's methods are found without a type of its own.
extern const ValueType kTimeType;
extern const ValueType kDurationType;
// html/template's typed strings: not escaped again where they fit.
extern const ValueType kHtmlType;
extern const ValueType kUrlType;

// The methods of a value, by its type or kind; null where it has none of that name.
const ValueMethod* FindMethod(const Value& value, std::string_view name);
// "" where the value fits the parameter, else Go's complaint: "wrong type for value; expected string; got int".
std::string CheckParam(Param param, const Value& value);
std::string_view ParamTypeName(Param param);

// Go's Duration.String(): 1h30m0s, 1.5ms, 0s.
std::string GoDurationString(Duration duration);

}  // namespace pipewarden::core
