#include "alertmanager/template_data.h"

#include <cmath>
#include <cstdio>

#include "alertmanager/go_json.h"
#include "core/text/go_float.h"

namespace pipewarden::alertmanager {
namespace {

using core::Param;
using core::Result;
using core::Value;
using core::ValueType;
using Args = std::span<const Value>;

std::string JoinList(const Value& list, std::string_view separator) {
  std::string out;
  bool first = true;
  for (const Value& item : list.list()) {
    if (!first) out += separator;
    first = false;
    out += item.string();
  }
  return out;
}

const ValueType kStringsType{.name = "template.Strings",
                             .methods = {{"Join",
                                          {Param::kString},
                                          [](const Value& self, Args args) -> Result<Value> {
                                            return Value::String(JoinList(self, args[0].string()));
                                          }}},
                             .of_strings = true};

// The first or second field of each pair.
Value Column(const Value& pairs, std::size_t column) {
  core::ValueList list;
  for (const Value& pair : pairs.list()) list.push_back(pair.fields().fields[column].second);
  return Value::List(std::move(list)).As(kStringsType);
}

std::string PairsText(const Value& pairs) {
  std::string out;
  for (const Value& pair : pairs.list()) {
    const auto& fields = pair.fields().fields;
    out += (out.empty() ? "" : ", ") + fields[0].second.string() + "=" + fields[1].second.string();
  }
  return out;
}

const ValueType kPairType{.name = "template.Pair"};
const ValueType kPairsType{
    .name = "template.Pairs",
    .methods = {{"Names", {}, [](const Value& self, Args) -> Result<Value> { return Column(self, 0); }},
                {"Values", {}, [](const Value& self, Args) -> Result<Value> { return Column(self, 1); }},
                {"String",
                 {},
                 [](const Value& self, Args) -> Result<Value> { return Value::String(PairsText(self)); }}},
    .to_string = &PairsText};

// By name, but alertname first.
Value SortedPairs(const Value& labels) {
  core::ValueList pairs;
  for (const bool alert_name : {true, false}) {
    for (const auto& [name, value] : labels.map().entries) {
      if ((name == core::kAlertName) != alert_name) continue;
      pairs.push_back(Value::Struct({{{"Name", Value::String(name)}, {"Value", value}}}).As(kPairType));
    }
  }
  return Value::List(std::move(pairs)).As(kPairsType);
}

std::string LabelsText(const Value& labels) { return PairsText(SortedPairs(labels)); }
Result<Value> Without(const Value& self, Args args);

const ValueType kKvType{
    .name = "template.KV",
    .methods = {{"SortedPairs", {}, [](const Value& self, Args) -> Result<Value> { return SortedPairs(self); }},
                {"Names", {}, [](const Value& self, Args) -> Result<Value> { return Column(SortedPairs(self), 0); }},
                {"Values", {}, [](const Value& self, Args) -> Result<Value> { return Column(SortedPairs(self), 1); }},
                {"Remove", {Param::kStringList}, &Without},
                {"String",
                 {},
                 [](const Value& self, Args) -> Result<Value> { return Value::String(LabelsText(self)); }}},
    .to_string = &LabelsText};

Result<Value> Without(const Value& self, Args args) {
  core::ValueMap rest = self.map();
  if (!args[0].is_nil()) {
    for (const Value& name : args[0].list()) rest.entries.erase(name.string());
  }
  return Value::Map(std::move(rest)).As(kKvType);
}

const ValueType kAlertType{.name = "template.Alert"};
const ValueType kSomeAlertsType{.name = "[]template.Alert"};

Value WithStatus(const Value& alerts, std::string_view status) {
  core::ValueList some;
  for (const Value& alert : alerts.list()) {
    if (alert.fields().fields[0].second.string() == status) some.push_back(alert);
  }
  return Value::List(std::move(some)).As(kSomeAlertsType);
}

const ValueType kAlertsType{
    .name = "template.Alerts",
    .methods = {
        {"Firing", {}, [](const Value& self, Args) -> Result<Value> { return WithStatus(self, "firing"); }},
        {"Resolved", {}, [](const Value& self, Args) -> Result<Value> { return WithStatus(self, "resolved"); }}}};
const ValueType kDataType{.name = "*template.Data"};

Value Kv(const core::Labels& labels) { return Value::StringMap(labels).As(kKvType); }

// No time is Go's zero time, the year 1.
Value Time(core::WallTime time) {
  return Value::Time(time == core::WallTime{} ? core::ZonedTime() : core::ZonedTime::From(time));
}

std::string Hex16(std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out(16, '0');
  for (std::size_t i = 16; i-- > 0; value >>= 4U) out[i] = kDigits[value & 15U];
  return out;
}

Value AlertValue(const core::Alert& alert) {
  return Value::Struct({{{"Status", Value::String(Notification::Resolved(alert) ? "resolved" : "firing")},
                         {"Labels", Kv(alert.labels)},
                         {"Annotations", Kv(alert.annotations)},
                         {"StartsAt", Time(alert.starts_at)},
                         {"EndsAt", Time(alert.ends_at)},
                         {"GeneratorURL", Value::String(alert.generator_url)},
                         {"Fingerprint", Value::String(Hex16(alert.Fingerprint()))}}})
      .As(kAlertType);
}

// Go's names of fields in JSON: template.Data and Alert have tags, Pair has none.
std::string JsonName(const Value& owner, std::string_view field) {
  std::string name(field);
  if (owner.IsType(kPairType)) return name;
  if (field == "NotificationReason") return "notification_reason";
  name[0] = static_cast<char>(name[0] + ('a' - 'A'));
  return name;
}

std::string JsonNumber(double value) {
  const double size = std::abs(value);
  std::string text = core::FormatGoFloat(value, size != 0 && (size < 1e-6 || size >= 1e21) ? 'e' : 'f', -1);
  // 1e-07 is written 1e-7.
  if (const std::size_t e = text.find("e-0"); e != std::string::npos) text.erase(e + 2, 1);
  return text;
}

void WriteJson(GoJson& json, const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kNil:
      json.Null();
      return;
    case Value::Kind::kBool:
      json.Bool(value.boolean());
      return;
    case Value::Kind::kInt:
      json.Number(value.integer());
      return;
    case Value::Kind::kFloat:
      json.Raw(JsonNumber(value.number()));
      return;
    case Value::Kind::kString:
      json.Text(value.string());
      return;
    case Value::Kind::kTime:
      json.Text(core::FormatRfc3339(value.time()));
      return;
    case Value::Kind::kList:
      json.Open('[');
      for (const Value& item : value.list()) WriteJson(json, item);
      json.Close(']');
      return;
    case Value::Kind::kMap:
      json.Open('{');
      for (const auto& [key, item] : value.map().entries) WriteJson(json.Key(key), item);
      json.Close('}');
      return;
    case Value::Kind::kStruct:
      json.Open('{');
      for (const auto& [name, item] : value.fields().fields) WriteJson(json.Key(JsonName(value, name)), item);
      json.Close('}');
      return;
  }
}

}  // namespace

core::Value NotificationValue(const Notification& notification) {
  core::ValueList alerts;
  alerts.reserve(notification.alerts.size());
  for (const core::Alert& alert : notification.alerts) alerts.push_back(AlertValue(alert));
  return Value::Struct({{{"Receiver", Value::String(notification.ReceiverForDisplay())},
                         {"Status", Value::String(std::string(notification.Status()))},
                         {"Alerts", Value::List(std::move(alerts)).As(kAlertsType)},
                         {"NotificationReason", Value::String(notification.reason)},
                         {"GroupLabels", Kv(notification.group_labels)},
                         {"CommonLabels", Kv(notification.common_labels)},
                         {"CommonAnnotations", Kv(notification.common_annotations)},
                         {"RouteLabels", Kv(notification.route_labels)},
                         {"ExternalURL", Value::String(notification.external_url)}}})
      .As(kDataType);
}

std::string ValueToJson(const Value& value) {
  GoJson json;
  WriteJson(json, value);
  return json.Take();
}

}  // namespace pipewarden::alertmanager
