// Cron expressions: when a schedule fires next, in a time zone, across daylight saving.
//
//   minute hour day-of-month month day-of-week          (six fields: seconds first)
//   *  ?  5  1-5  22-2 (over the end)  */15  10-40/10  5/10 (from 5 to the end)  a,b,c  JAN-DEC
//   SUN-SAT (0 and 7 are Sunday)
//   day-of-month: L (last), L-2, LW (last weekday), L-2W, 15W (weekday nearest to the 15th, in the same month)
//   day-of-week:  5L (last Friday), FRIL, MON#2 (second Monday)
//   @yearly @annually @monthly @weekly @daily @midnight @hourly @every_minute @every_second @every 1h30m
//
// Three dialects tell what happens where the clock is changed (the gap in spring, the fold in autumn):
//   debian   cron(8): jobs at fixed times run at the gap's end, and once (the first time) in a fold; jobs whose
//            minute or hour begins with * follow real time. Changes above three hours are no daylight saving:
//            nothing is made up.
//   literal  what lies in a gap does not run, what lies in a fold runs twice (robfig/cron, Kubernetes, Temporal).
//   cronos   like debian, but any *, range or step in seconds, minutes or hours makes a job follow real time, and such
//            jobs run at the gap's end too where they had a time in the gap (Cronos, Hangfire).
//
// A value; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time/civil_time.h"
#include "core/time/clock.h"

namespace pipewarden::agent {

enum class DstDialect { kDebian, kLiteral, kCronos };
// How day-of-month and day-of-week join where both are restricted.
enum class DayRule { kOr, kAnd };

core::Result<DstDialect> ParseDstDialect(std::string_view text);  // "debian", "literal", "cronos"
core::Result<DayRule> ParseDayRule(std::string_view text);        // "or", "and"

struct CronOptions {
  DstDialect dst = DstDialect::kDebian;
  DayRule day_rule = DayRule::kOr;
  // @every fires at anchor + n * interval, so that a restart does not shift it.
  core::WallTime every_anchor{};
};

class Cron {
 public:
  // kInvalid says which field, at which column of the expression, and what is allowed there.
  static core::Result<Cron> Parse(std::string_view expression, CronOptions options = {});

  // The first time after `after` (exclusive), on a whole second; nothing where it never fires again (before 2262).
  std::optional<core::WallTime> Next(core::WallTime after, const core::TimeZone& zone) const;

  const std::string& expression() const { return expression_; }
  const CronOptions& options() const { return options_; }

 private:
  friend class CronParser;

  // "L-2" is {kLast, 2}, "LW" {kLastWeekday, 0}, "15W" {kNearestWeekday, 15}, "5L" {kLastOf, 5}, "MON#2" {kNthOf, 1,
  // 2}.
  enum class Special { kLast, kLastWeekday, kNearestWeekday, kLastOf, kNthOf };
  struct DayRuleItem {
    Special kind;
    int value = 0;
    int nth = 0;
  };

  bool MonthMatches(int month) const { return (months_ >> month & 1) != 0; }
  bool DayMatches(int year, int month, int day) const;
  bool DayOfMonthMatches(int year, int month, int day, int weekday) const;
  bool DayOfWeekMatches(int year, int month, int day, int weekday) const;
  // The first matching second of the day at or after `from`, or -1.
  int TimeOfDay(int from) const;
  // The first match in [from, to), in civil seconds.
  std::optional<std::int64_t> FindLocal(std::int64_t from, std::int64_t to) const;

  std::string expression_;
  CronOptions options_;
  std::uint64_t seconds_ = 1;  // bit n: n matches
  std::uint64_t minutes_ = 0;
  std::uint64_t hours_ = 0;
  std::uint64_t days_of_month_ = 0;
  std::uint64_t months_ = 0;
  std::uint64_t days_of_week_ = 0;  // 0 is Sunday; 7 is never set
  std::vector<DayRuleItem> special_days_of_month_;
  std::vector<DayRuleItem> special_days_of_week_;
  bool any_day_of_month_ = false;  // the field counts as *
  bool any_day_of_week_ = false;
  bool follows_real_time_ = false;  // by the dialect: a fold runs it twice
  std::int64_t every_seconds_ = 0;  // zero unless the expression is @every
};

}  // namespace pipewarden::agent
