// The methods of Go's time.Time, time.Duration, time.Month and time.Weekday that templates call.
#include <cmath>

#include "core/template/value.h"

namespace pipewarden::core {
namespace {

using Args = std::span<const Value>;
constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t Unix(const Value& self, std::int64_t per_second) {
  return self.time().seconds * per_second + self.time().nanosecond / (kSecond / per_second);
}

ZonedTime Plus(const ZonedTime& time, std::int64_t nanoseconds) {
  ZonedTime sum = time;
  std::int64_t nanosecond = time.nanosecond + nanoseconds % kSecond;
  sum.seconds += nanoseconds / kSecond;
  if (nanosecond < 0) {
    nanosecond += kSecond;
    --sum.seconds;
  } else if (nanosecond >= kSecond) {
    nanosecond -= kSecond;
    ++sum.seconds;
  }
  sum.nanosecond = static_cast<std::int32_t>(nanosecond);
  return sum;
}

// Saturates as Go does.
std::int64_t Minus(const ZonedTime& a, const ZonedTime& b) {
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;
  if (__builtin_sub_overflow(a.seconds, b.seconds, &seconds) ||
      __builtin_mul_overflow(seconds, kSecond, &nanoseconds) ||
      __builtin_add_overflow(nanoseconds, std::int64_t{a.nanosecond} - b.nanosecond, &nanoseconds)) {
    return a.seconds < b.seconds ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
  }
  return nanoseconds;
}

int Compare(const ZonedTime& a, const ZonedTime& b) {
  if (a.seconds != b.seconds) return a.seconds < b.seconds ? -1 : 1;
  return a.nanosecond < b.nanosecond ? -1 : a.nanosecond > b.nanosecond;
}

std::int64_t Truncated(std::int64_t value, std::int64_t unit) { return unit <= 0 ? value : value - value % unit; }

std::int64_t Rounded(std::int64_t value, std::int64_t unit) {
  if (unit <= 0) return value;
  const std::int64_t rest = value % unit;
  const std::int64_t size = rest < 0 ? -rest : rest;
  if (size < unit - size) return value - rest;
  std::int64_t away = 0;
  const std::int64_t step = value < 0 ? size - unit : unit - size;
  if (__builtin_add_overflow(value, step, &away))
    return value < 0 ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
  return away;
}

// Since Go's zero time, as Time.Truncate counts; nanoseconds of the rest above a multiple of `unit`.
std::int64_t Rest(const ZonedTime& time, std::int64_t unit) {
  const __int128 since = static_cast<__int128>(time.seconds - ZonedTime::kZeroSeconds) * kSecond + time.nanosecond;
  const __int128 rest = since % unit;
  return static_cast<std::int64_t>(rest < 0 ? rest + unit : rest);
}

std::string MonthString(const Value& value) {
  const std::int64_t month = value.integer();
  return month >= 1 && month <= 12 ? std::string(MonthName(static_cast<int>(month)))
                                   : "%!Month(" + std::to_string(month) + ")";
}
std::string WeekdayString(const Value& value) {
  const std::int64_t day = value.integer();
  return day >= 0 && day <= 6 ? std::string(WeekdayName(static_cast<int>(day)))
                              : "%!Weekday(" + std::to_string(day) + ")";
}
const ValueType kInt64Type{.name = "int64"};
std::string LocationString(const Value& value) { return value.fields().fields[0].second.string(); }
const ValueType kLocationType{
    .name = "*time.Location",
    .methods = {{"String",
                 {},
                 [](const Value& self, Args) -> Result<Value> { return Value::String(LocationString(self)); }}},
    .to_string = &LocationString};
const ValueType kMonthType{
    .name = "time.Month",
    .methods = {{"String",
                 {},
                 [](const Value& self, Args) -> Result<Value> { return Value::String(MonthString(self)); }}},
    .to_string = &MonthString};
const ValueType kWeekdayType{
    .name = "time.Weekday",
    .methods = {{"String",
                 {},
                 [](const Value& self, Args) -> Result<Value> { return Value::String(WeekdayString(self)); }}},
    .to_string = &WeekdayString};

Result<Value> In(const Value& self, std::string_view zone) {
  ZonedTime time = self.time();
  auto found = TimeZone::Find(zone);
  if (!found) return std::unexpected(found.error());
  time.zone = std::move(*found);
  return Value::Time(std::move(time));
}

Result<Value> AddDate(const Value& self, Args args) {
  const ZonedTime& time = self.time();
  for (const Value& arg : args) {
    if (std::abs(static_cast<double>(arg.integer())) > 1e6) return Fail(ErrorCode::kInvalid, "AddDate: out of range");
  }
  CivilTime civil = time.Civil();
  civil.year += static_cast<int>(args[0].integer());
  civil.month += static_cast<int>(args[1].integer());
  civil.day += static_cast<int>(args[2].integer());
  ZonedTime moved = time;
  moved.seconds = time.zone.ToUtc(CivilSeconds(civil)).earlier;
  return Value::Time(std::move(moved));
}

Result<Value> RoundTime(const Value& self, Args args) {
  const std::int64_t unit = args[0].integer();
  if (unit <= 0) return self;
  const std::int64_t rest = Rest(self.time(), unit);
  return Value::Time(Plus(self.time(), rest < unit - rest ? -rest : unit - rest));
}

// clang-format off
const std::vector<ValueMethod>& TimeMethods() {
  static const std::vector<ValueMethod> methods = {
      {"Format", {Param::kString}, [](const Value& self, Args args) -> Result<Value> { return Value::String(FormatGoTime(self.time(), args[0].string())); }},
      {"String", {}, [](const Value& self, Args) -> Result<Value> { return Value::String(GoTimeString(self.time())); }},
      {"Local", {}, [](const Value& self, Args) -> Result<Value> { return In(self, "Local"); }},
      {"UTC", {}, [](const Value& self, Args) -> Result<Value> { return In(self, "UTC"); }},
      {"Location", {}, [](const Value& self, Args) -> Result<Value> { return Value::Struct({{{"", Value::String(self.time().zone.name())}}}).As(kLocationType); }},
      {"Unix", {}, [](const Value& self, Args) -> Result<Value> { return Value::Int(Unix(self, 1)).As(kInt64Type); }},
      {"Date", {}, nullptr, "function Date has 3 return values; should be 1 or 2"},
      {"Clock", {}, nullptr, "function Clock has 3 return values; should be 1 or 2"},
      {"Zone", {}, nullptr, "invalid function signature for Zone: second return value should be error; is int"},
      {"ISOWeek", {}, nullptr, "invalid function signature for ISOWeek: second return value should be error; is int"},
      {"UnixMilli", {}, [](const Value& self, Args) -> Result<Value> { return Value::Int(Unix(self, 1000)).As(kInt64Type); }},
      {"UnixMicro", {}, [](const Value& self, Args) -> Result<Value> { return Value::Int(Unix(self, 1'000'000)).As(kInt64Type); }},
      {"UnixNano", {}, [](const Value& self, Args) -> Result<Value> { return Value::Int(ZonedTime(self.time()).ToWall().time_since_epoch().count()).As(kInt64Type); }},
      {"Add", {Param::kDuration}, [](const Value& self, Args args) -> Result<Value> { return Value::Time(Plus(self.time(), args[0].integer())); }},
      {"AddDate", {Param::kInt, Param::kInt, Param::kInt}, &AddDate},
      {"Sub", {Param::kTime}, [](const Value& self, Args args) -> Result<Value> { return Value::Duration(Duration{Minus(self.time(), args[0].time())}); }},
      {"Truncate", {Param::kDuration}, [](const Value& self, Args args) -> Result<Value> {
         return args[0].integer() <= 0 ? self : Value::Time(Plus(self.time(), -Rest(self.time(), args[0].integer()))); }},
      {"Round", {Param::kDuration}, &RoundTime},
      {"After", {Param::kTime}, [](const Value& self, Args args) -> Result<Value> { return Value::Bool(Compare(self.time(), args[0].time()) > 0); }},
      {"Before", {Param::kTime}, [](const Value& self, Args args) -> Result<Value> { return Value::Bool(Compare(self.time(), args[0].time()) < 0); }},
      {"Equal", {Param::kTime}, [](const Value& self, Args args) -> Result<Value> { return Value::Bool(Compare(self.time(), args[0].time()) == 0); }},
      {"Compare", {Param::kTime}, [](const Value& self, Args args) -> Result<Value> { return Value::Int(Compare(self.time(), args[0].time())); }},
      {"IsZero", {}, [](const Value& self, Args) -> Result<Value> { return Value::Bool(self.time().IsZero()); }},
      {"Year", {}, [](const Value& self, Args) -> Result<Value> { return Value::Int(self.time().Civil().year); }},
      {"Month", {}, [](const Value& self, Args) -> Result<Value> { return Value::Int(self.time().Civil().month).As(kMonthType); }},
      {"Day", {}, [](const Value& self, Args) -> Result<Value> { return Value::Int(self.time().Civil().day); }},
      {"Hour", {}, [](const Value& self, Args) -> Result<Value> { return Value::Int(self.time().Civil().hour); }},
      {"Minute", {}, [](const Value& self, Args) -> Result<Value> { return Value::Int(self.time().Civil().minute); }},
      {"Second", {}, [](const Value& self, Args) -> Result<Value> { return Value::Int(self.time().Civil().second); }},
      {"Nanosecond", {}, [](const Value& self, Args) -> Result<Value> { return Value::Int(self.time().nanosecond); }},
      {"Weekday", {}, [](const Value& self, Args) -> Result<Value> { return Value::Int(self.time().Civil().weekday()).As(kWeekdayType); }},
      {"YearDay", {}, [](const Value& self, Args) -> Result<Value> { return Value::Int(self.time().Civil().year_day()); }},
  };
  return methods;
}

const std::vector<ValueMethod>& DurationMethods() {
  static const std::vector<ValueMethod> methods = {
      {"String", {}, [](const Value& self, Args) -> Result<Value> { return Value::String(GoDurationString(self.duration())); }},
      {"Hours", {}, [](const Value& self, Args) -> Result<Value> { return Value::Float(static_cast<double>(self.integer() / (3600 * kSecond)) + static_cast<double>(self.integer() % (3600 * kSecond)) / 3600e9); }},
      {"Minutes", {}, [](const Value& self, Args) -> Result<Value> { return Value::Float(static_cast<double>(self.integer() / (60 * kSecond)) + static_cast<double>(self.integer() % (60 * kSecond)) / 60e9); }},
      {"Seconds", {}, [](const Value& self, Args) -> Result<Value> { return Value::Float(static_cast<double>(self.integer() / kSecond) + static_cast<double>(self.integer() % kSecond) / 1e9); }},
      {"Milliseconds", {}, [](const Value& self, Args) -> Result<Value> { return Value::Int(self.integer() / 1'000'000).As(kInt64Type); }},
      {"Microseconds", {}, [](const Value& self, Args) -> Result<Value> { return Value::Int(self.integer() / 1000).As(kInt64Type); }},
      {"Nanoseconds", {}, [](const Value& self, Args) -> Result<Value> { return Value::Int(self.integer()).As(kInt64Type); }},
      {"Truncate", {Param::kDuration}, [](const Value& self, Args args) -> Result<Value> { return Value::Duration(Duration{Truncated(self.integer(), args[0].integer())}); }},
      {"Round", {Param::kDuration}, [](const Value& self, Args args) -> Result<Value> { return Value::Duration(Duration{Rounded(self.integer(), args[0].integer())}); }},
      {"Abs", {}, [](const Value& self, Args) -> Result<Value> {
         const std::int64_t value = self.integer();
         return Value::Duration(Duration{value >= 0 ? value : value == std::numeric_limits<std::int64_t>::min() ? std::numeric_limits<std::int64_t>::max() : -value}); }},
  };
  return methods;
}
// clang-format on

std::string DurationString(const Value& value) { return GoDurationString(value.duration()); }

// "1.5" of 1500 at three decimal places.
std::string Decimal(std::uint64_t value, int places) {
  std::string fraction;
  std::uint64_t whole = value;
  for (int i = 0; i < places; ++i) {
    fraction.insert(fraction.begin(), static_cast<char>('0' + whole % 10));
    whole /= 10;
  }
  while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
  return std::to_string(whole) + (fraction.empty() ? "" : "." + fraction);
}

}  // namespace

const ValueType kTimeType{.name = "time.Time", .methods = TimeMethods()};
const ValueType kDurationType{.name = "time.Duration", .methods = DurationMethods(), .to_string = &DurationString};
const ValueType kHtmlType{.name = "template.HTML"};
const ValueType kUrlType{.name = "template.URL"};

std::string GoDurationString(Duration duration) {
  const std::int64_t count = duration.count();
  if (count == 0) return "0s";
  const std::string sign = count < 0 ? "-" : "";
  const std::uint64_t size = count < 0 ? ~static_cast<std::uint64_t>(count) + 1 : static_cast<std::uint64_t>(count);
  if (size < 1000) return sign + std::to_string(size) + "ns";
  if (size < 1'000'000) return sign + Decimal(size, 3) + "µs";
  if (size < kSecond) return sign + Decimal(size, 6) + "ms";
  const std::uint64_t minute = 60ULL * kSecond;
  std::string out = Decimal(size % minute, 9) + "s";
  if (const std::uint64_t minutes = size / minute; minutes > 0) {
    out = std::to_string(minutes % 60) + "m" + out;
    if (minutes >= 60) out = std::to_string(minutes / 60) + "h" + out;
  }
  return sign + out;
}

}  // namespace pipewarden::core
