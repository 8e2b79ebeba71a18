#include "core/template/value.h"

#include <algorithm>

#include "core/template/format.h"

namespace pipewarden::core {

Value Value::Time(ZonedTime time) { return Value(Data(std::make_shared<const ZonedTime>(std::move(time)))); }
Value Value::Duration(core::Duration duration) { return Int(duration.count()).As(kDurationType); }
Value Value::List(ValueList list) { return Value(Data(std::make_shared<const ValueList>(std::move(list)))); }
Value Value::Map(ValueMap map) { return Value(Data(std::make_shared<const ValueMap>(std::move(map)))); }
Value Value::Struct(ValueStruct fields) { return Value(Data(std::make_shared<const ValueStruct>(std::move(fields)))); }

Value Value::StringList(const std::vector<std::string>& list) {
  static const ValueType type{.name = "[]string", .of_strings = true};
  ValueList values;
  values.reserve(list.size());
  for (const std::string& text : list) values.push_back(String(text));
  return List(std::move(values)).As(type);
}

Value Value::StringMap(const Labels& labels) {
  ValueMap map;
  for (const LabelView label : labels) map.entries.emplace(label.name, String(std::string(label.value)));
  return Map(std::move(map));
}

bool Value::Truth() const {
  switch (kind()) {
    case Kind::kNil:
      return false;
    case Kind::kBool:
      return boolean();
    case Kind::kInt:
      return integer() != 0;
    case Kind::kFloat:
      return number() != 0;
    case Kind::kString:
      return !string().empty();
    case Kind::kList:
      return !list().empty();
    case Kind::kMap:
      return !map().entries.empty();
    case Kind::kTime:
    case Kind::kStruct:
      return true;
  }
  return false;
}

std::string Value::TypeName() const {
  if (type_ != nullptr) return std::string(type_->name);
  switch (kind()) {
    case Kind::kNil:
      return "<nil>";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float64";
    case Kind::kString:
      return "string";
    case Kind::kTime:
      return "time.Time";
    case Kind::kList:
      return "[]interface {}";
    case Kind::kMap:
      return map().of_strings ? "map[string]string" : "map[string]interface {}";
    case Kind::kStruct:
      return "struct";
  }
  return "";
}

std::string Value::ToString() const { return FormatValue(*this); }

const ValueMethod* ValueType::Find(std::string_view method) const {
  const auto found = std::ranges::find(methods, method, &ValueMethod::name);
  return found == methods.end() ? nullptr : &*found;
}

const ValueMethod* FindMethod(const Value& value, std::string_view name) {
  if (value.type() != nullptr) return value.type()->Find(name);
  return value.is(Value::Kind::kTime) ? kTimeType.Find(name) : nullptr;
}

std::string_view ParamTypeName(Param param) {
  switch (param) {
    case Param::kAny:
      return "interface {}";
    case Param::kString:
      return "string";
    case Param::kInt:
      return "int";
    case Param::kFloat:
      return "float64";
    case Param::kBool:
      return "bool";
    case Param::kTime:
      return "time.Time";
    case Param::kDuration:
      return "time.Duration";
    case Param::kList:
    case Param::kAnyList:
      return "[]interface {}";
    case Param::kStringList:
      return "[]string";
    case Param::kMap:
      return "map[string]interface {}";
  }
  return "";
}

std::string CheckParam(Param param, const Value& value) {
  using Kind = Value::Kind;
  bool fits = true;
  switch (param) {
    case Param::kAny:
      return "";
    case Param::kString:
      fits = value.is(Kind::kString) && value.type() == nullptr;
      break;
    case Param::kInt:
      fits = value.is(Kind::kInt) && value.type() == nullptr;
      break;
    case Param::kFloat:
      fits = value.is(Kind::kFloat) && value.type() == nullptr;
      break;
    case Param::kBool:
      fits = value.is(Kind::kBool);
      break;
    case Param::kTime:
      fits = value.is(Kind::kTime);
      break;
    case Param::kDuration:
      fits = value.IsType(kDurationType);
      break;
    case Param::kList:
      fits = value.is(Kind::kList) || value.is_nil();
      break;
    case Param::kAnyList:
      fits = (value.is(Kind::kList) && value.type() == nullptr) || value.is_nil();
      break;
    case Param::kStringList:
      fits = (value.is(Kind::kList) && value.type() != nullptr && value.type()->of_strings) || value.is_nil();
      break;
    case Param::kMap:
      fits = value.is(Kind::kMap) || value.is_nil();
      break;
  }
  if (fits) return "";
  const std::string expected(ParamTypeName(param));
  if (value.is_nil()) return "invalid value; expected " + expected;
  return "wrong type for value; expected " + expected + "; got " + value.TypeName();
}

}  // namespace pipewarden::core
