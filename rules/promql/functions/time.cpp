// time() and the parts of a date: UTC, proleptic Gregorian; without an argument, of the evaluation's own time.
#include <cmath>
#include <limits>

#include "rules/promql/functions/call_context.h"
#include "rules/promql/functions/function_list.h"

namespace pipewarden::rules::promql {
namespace {

constexpr std::int64_t kDay = 86400;

struct Date {
  std::int64_t year;
  std::int64_t month;
  std::int64_t day;
};

std::int64_t FloorDiv(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// Howard Hinnant's civil_from_days, days since 1970-01-01.
Date DateOf(std::int64_t days) {
  days += 719468;
  const std::int64_t era = FloorDiv(days, 146097);
  const std::int64_t day_of_era = days - era * 146097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
  const std::int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day_of_year - (153 * shifted_month + 2) / 5 + 1};
}

bool IsLeap(std::int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

constexpr int kDaysBefore[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
constexpr int kDaysIn[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

// Go's time.Time counts the seconds of a date from a March 1st far in the past, in 64 bits without a sign that wrap.
// What is no number of seconds (NaN, Inf, too large) becomes the smallest integer, as on amd64. So nonsense has the
// date that it has in Prometheus.
constexpr std::int64_t kGoEpochDays = 9223372028741760000 / kDay;  // from there to 1970-01-01
std::uint64_t GoSeconds(double v) {
  const bool fits = v >= -9223372036854775808.0 && v < 9223372036854775808.0;
  const std::int64_t seconds = fits ? static_cast<std::int64_t>(v) : std::numeric_limits<std::int64_t>::min();
  return static_cast<std::uint64_t>(seconds) + static_cast<std::uint64_t>(kGoEpochDays * kDay);
}
std::int64_t Days(double v) { return static_cast<std::int64_t>(GoSeconds(v) / kDay) - kGoEpochDays; }
std::int64_t SecondOfDay(double v) { return static_cast<std::int64_t>(GoSeconds(v) % kDay); }

double Minute(double v) { return static_cast<double>(SecondOfDay(v) / 60 % 60); }
double Hour(double v) { return static_cast<double>(SecondOfDay(v) / 3600); }
double DayOfWeek(double v) {
  const std::int64_t day = (Days(v) + 4) % 7;
  return static_cast<double>(day < 0 ? day + 7 : day);
}
double DayOfMonth(double v) { return static_cast<double>(DateOf(Days(v)).day); }
double DayOfYear(double v) {
  const Date date = DateOf(Days(v));
  const bool after_leap_day = date.month > 2 && IsLeap(date.year);
  return static_cast<double>(kDaysBefore[date.month - 1] + date.day + (after_leap_day ? 1 : 0));
}
double DaysInMonth(double v) {
  const Date date = DateOf(Days(v));
  return kDaysIn[date.month - 1] + (date.month == 2 && IsLeap(date.year) ? 1 : 0);
}
double Month(double v) { return static_cast<double>(DateOf(Days(v)).month); }
double Year(double v) { return static_cast<double>(DateOf(Days(v)).year); }

template <MapBody kPart>
core::Result<Value> DatePart(CallContext& call) {
  Value value;
  value.type = ValueType::kVector;
  if (call.size() == 0) {
    value.vector = VectorValue(call.steps().count);
    double* row = value.vector.AddRow(std::make_shared<const core::Labels>(), false);
    for (std::size_t step = 0; step < call.steps().count; ++step)
      row[step] = kPart(static_cast<double>(call.steps().At(step) / 1000));
    return value;
  }
  auto vector = call.EvalVector(0);
  if (!vector) return core::Fail(vector.error());
  for (SeriesHead& head : vector->series) head.drop_name = true;
  for (double& cell : vector->cells)
    if (IsPresent(cell)) cell = IsHistogram(cell) ? Absent() : kPart(cell);
  if (!call.histograms().empty()) vector->DropEmptyRows();
  return call.Merged(std::move(*vector));
}

core::Result<Value> Time(CallContext& call) {
  Value value;
  value.type = ValueType::kScalar;
  value.scalar.resize(call.steps().count);
  for (std::size_t step = 0; step < value.scalar.size(); ++step)
    value.scalar[step] = static_cast<double>(call.steps().At(step)) / 1000;
  return value;
}

core::Result<Value> OfQuery(const CallContext& call, TimestampMs ms) {
  Value value;
  value.type = ValueType::kScalar;
  value.scalar.assign(call.steps().count, static_cast<double>(ms) / 1000);
  return value;
}
core::Result<Value> QueryStart(CallContext& call) { return OfQuery(call, call.query_start()); }
core::Result<Value> QueryEnd(CallContext& call) { return OfQuery(call, call.query_end()); }
core::Result<Value> QueryRange(CallContext& call) { return OfQuery(call, call.query_end() - call.query_start()); }
core::Result<Value> QueryStep(CallContext& call) { return OfQuery(call, call.query_step()); }

constexpr auto kScalarResult = ValueType::kScalar;

const Function kFunctions[] = {
    {.name = "time",
     .args = {},
     .result = kScalarResult,
     .help = "Seconds since the epoch at the evaluation.",
     .general = Time,
     .depends_on_step = true},
    {.name = "minute",
     .args = kVectorArg,
     .variadic = 1,
     .help = "Minute of the hour.",
     .general = DatePart<Minute>,
     .depends_on_step = true},
    {.name = "hour",
     .args = kVectorArg,
     .variadic = 1,
     .help = "Hour of the day.",
     .general = DatePart<Hour>,
     .depends_on_step = true},
    {.name = "day_of_week",
     .args = kVectorArg,
     .variadic = 1,
     .help = "Day of the week, 0 is Sunday.",
     .general = DatePart<DayOfWeek>,
     .depends_on_step = true},
    {.name = "day_of_month",
     .args = kVectorArg,
     .variadic = 1,
     .help = "Day of the month from 1.",
     .general = DatePart<DayOfMonth>,
     .depends_on_step = true},
    {.name = "day_of_year",
     .args = kVectorArg,
     .variadic = 1,
     .help = "Day of the year from 1.",
     .general = DatePart<DayOfYear>,
     .depends_on_step = true},
    {.name = "days_in_month",
     .args = kVectorArg,
     .variadic = 1,
     .help = "Days the month has.",
     .general = DatePart<DaysInMonth>,
     .depends_on_step = true},
    {.name = "month",
     .args = kVectorArg,
     .variadic = 1,
     .help = "Month from 1.",
     .general = DatePart<Month>,
     .depends_on_step = true},
    {.name = "year",
     .args = kVectorArg,
     .variadic = 1,
     .help = "Year.",
     .general = DatePart<Year>,
     .depends_on_step = true},
    {.name = "start",
     .args = {},
     .result = kScalarResult,
     .help = "Start of the query in seconds.",
     .general = QueryStart,
     .experimental = true},
    {.name = "end",
     .args = {},
     .result = kScalarResult,
     .help = "End of the query in seconds.",
     .general = QueryEnd,
     .experimental = true},
    {.name = "range",
     .args = {},
     .result = kScalarResult,
     .help = "Length of the query in seconds.",
     .general = QueryRange,
     .experimental = true},
    {.name = "step",
     .args = {},
     .result = kScalarResult,
     .help = "Step of the query in seconds, 0 for an instant query.",
     .general = QueryStep,
     .experimental = true},
};

}  // namespace

std::span<const Function> TimeFunctions() { return kFunctions; }

}  // namespace pipewarden::rules::promql
