// Reading of cron expressions (see cron.h for the language).
#include <array>
#include <cctype>
#include <span>

#include "agent/pipelines/cron.h"
#include "core/time/duration.h"

namespace pipewarden::agent {
namespace {

constexpr std::size_t kMaxLength = 1000;

constexpr std::array<std::string_view, 12> kMonths = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                                      "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::array<std::string_view, 7> kWeekdays = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

struct Field {
  std::string_view name;
  int lowest;
  int highest;  // of day-of-week: 7, which is Sunday again
  std::span<const std::string_view> names;
  std::string_view allowed;

  int size() const { return names.size() == 7 ? 7 : highest - lowest + 1; }
};

constexpr std::array<Field, 6> kFields = {
    {{"second", 0, 59, {}, "0 to 59"},
     {"minute", 0, 59, {}, "0 to 59"},
     {"hour", 0, 23, {}, "0 to 23"},
     {"day of month", 1, 31, {}, "1 to 31, L, L-n, LW, L-nW and nW"},
     {"month", 1, 12, kMonths, "1 to 12 and JAN to DEC"},
     {"day of week", 0, 7, kWeekdays, "0 to 7 (0 and 7 are Sunday), SUN to SAT, nL (the last) and n#1 to n#5"}}};
enum FieldIndex { kSecond, kMinute, kHour, kDayOfMonth, kMonth, kDayOfWeek };

struct Macro {
  std::string_view name;
  std::string_view expression;
};
constexpr std::array<Macro, 9> kMacros = {{{"@YEARLY", "0 0 1 1 *"},
                                           {"@ANNUALLY", "0 0 1 1 *"},
                                           {"@MONTHLY", "0 0 1 * *"},
                                           {"@WEEKLY", "0 0 * * 0"},
                                           {"@DAILY", "0 0 * * *"},
                                           {"@MIDNIGHT", "0 0 * * *"},
                                           {"@HOURLY", "0 * * * *"},
                                           {"@EVERY_MINUTE", "* * * * *"},
                                           {"@EVERY_SECOND", "* * * * * *"}}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return c >= 'A' && c <= 'Z'; }
bool IsSpace(char c) { return c == ' ' || c == '\t'; }

}  // namespace

// One parse of one expression. Works on an upper-case copy; `at_` is where it reads.
class CronParser {
 public:
  explicit CronParser(std::string_view expression) : original_(expression), text_(expression) {
    for (char& c : text_) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }

  core::Result<Cron> Parse(CronOptions options) {
    cron_.options_ = options;
    cron_.expression_ = std::string(original_);
    if (text_.size() > kMaxLength) return Whole("it is longer than 1000 characters");
    if (text_.find_first_not_of(" \t") == std::string::npos) {
      return Whole("it is empty; write five fields: minute hour day-of-month month day-of-week");
    }
    SkipSpace();
    if (text_[at_] == '@') return ParseMacro();
    if (text_.find('=') != std::string::npos) {
      return Whole("no variables such as TZ= belong here; give the time zone beside the schedule");
    }
    return ParseFields();
  }

 private:
  struct Value {
    int number = 0;
    std::size_t begin = 0;
  };

  std::unexpected<core::Error> Whole(std::string_view why) const {
    return core::Fail(core::ErrorCode::kInvalid,
                      "bad cron expression '" + std::string(original_.substr(0, 200)) + "': " + std::string(why));
  }
  // At a place, of a field.
  std::unexpected<core::Error> Bad(const Field& field, std::size_t at, std::string_view why) const {
    return Whole(std::string(field.name) + " at column " + std::to_string(at + 1) + ": " + std::string(why) +
                 "; allowed are " + std::string(field.allowed) +
                 ", *, lists (a,b), ranges (a-b) and steps (a-b/n, */n)");
  }

  void SkipSpace() {
    while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
  }
  bool AtEnd() const { return at_ >= text_.size() || IsSpace(text_[at_]); }
  char Here() const { return at_ < text_.size() ? text_[at_] : ' '; }
  bool Take(char c) {
    if (Here() != c) return false;
    ++at_;
    return true;
  }
  // What stands from `begin` to the end of the item, for messages.
  std::string Word(std::size_t begin) const {
    std::size_t end = begin;
    while (end < text_.size() && !IsSpace(text_[end]) && text_[end] != ',') ++end;
    return "'" + std::string(original_.substr(begin, end - begin)) + "'";
  }

  core::Result<Cron> ParseMacro() {
    const std::size_t end = text_.find_last_not_of(" \t") + 1;
    const std::string_view macro = std::string_view(text_).substr(at_, end - at_);
    for (const Macro& known : kMacros) {
      if (macro != known.name) continue;
      auto cron = CronParser(known.expression).Parse(cron_.options_);
      if (cron) cron->expression_ = cron_.expression_;
      return cron;
    }
    if (macro == "@REBOOT") return Whole("@reboot is no time; run the pipeline by another trigger");
    if (macro.starts_with("@EVERY ") || macro.starts_with("@EVERY\t")) {
      std::string_view text = original_.substr(at_ + 7, end - at_ - 7);
      while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
      const auto interval = core::ParseDuration(text);
      if (!interval) return Whole(interval.error().message);
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*interval);
      if (seconds != *interval || seconds.count() < 1) {
        return Whole("@every takes whole seconds, one at least, for example @every 1h30m");
      }
      cron_.every_seconds_ = seconds.count();
      return std::move(cron_);
    }
    return Whole(
        "unknown macro; there are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, "
        "@every_minute, @every_second and @every <duration>");
  }

  core::Result<Cron> ParseFields() {
    int count = 0;
    for (std::size_t i = 0; i < text_.size(); ++i) count += !IsSpace(text_[i]) && (i == 0 || IsSpace(text_[i - 1]));
    if (count != 5 && count != 6) {
      return Whole("it has " + std::to_string(count) + (count == 1 ? " field" : " fields") +
                   "; write five (minute hour day-of-month month day-of-week), or six with seconds first");
    }
    for (std::size_t index = count == 6 ? kSecond : kMinute; index < kFields.size(); ++index) {
      SkipSpace();
      if (auto field = ParseField(index); !field) return std::unexpected(field.error());
    }
    return std::move(cron_);
  }

  std::uint64_t& Bits(std::size_t index) {
    switch (index) {
      case kSecond:
        return cron_.seconds_;
      case kMinute:
        return cron_.minutes_;
      case kHour:
        return cron_.hours_;
      case kDayOfMonth:
        return cron_.days_of_month_;
      case kMonth:
        return cron_.months_;
      default:
        return cron_.days_of_week_;
    }
  }

  core::Result<void> ParseField(std::size_t index) {
    const bool debian = cron_.options_.dst == DstDialect::kDebian;
    const bool begins_with_star = Here() == '*' || Here() == '?';
    Bits(index) = 0;
    any_ = false;
    interval_ = false;
    do {
      if (auto item = ParseItem(index); !item) return item;
    } while (Take(','));
    const Field& field = kFields[index];
    if (!AtEnd()) return Bad(field, at_, "unexpected " + Word(at_));
    if (std::uint64_t& bits = Bits(index); index == kDayOfWeek && (bits >> 7 & 1) != 0) bits = (bits | 1) & 0x7F;
    const bool counts_as_any = debian ? begins_with_star : any_;
    if (index == kDayOfMonth) cron_.any_day_of_month_ = counts_as_any;
    if (index == kDayOfWeek) cron_.any_day_of_week_ = counts_as_any;
    if (debian && (index == kMinute || index == kHour) && begins_with_star) cron_.follows_real_time_ = true;
    if (!debian && index <= kHour && interval_) cron_.follows_real_time_ = true;
    return {};
  }

  core::Result<void> ParseItem(std::size_t index) {
    const Field& field = kFields[index];
    const std::size_t begin = at_;
    if (Take('?')) {
      any_ = interval_ = true;
      SetRange(index, field.lowest, LastValue(index), 1);
      return {};
    }
    if (Take('*')) {
      interval_ = true;
      const auto step = ParseStep(field);
      if (!step) return std::unexpected(step.error());
      any_ = any_ || *step <= 1;
      SetRange(index, field.lowest, LastValue(index), std::max(*step, 1));
      return {};
    }
    if (index == kDayOfMonth && Here() == 'L') return ParseLastDay();
    const auto first = ParseValue(field);
    if (!first) return std::unexpected(first.error());
    if (index == kDayOfMonth && Take('W')) {
      cron_.special_days_of_month_.push_back({Cron::Special::kNearestWeekday, first->number});
      return {};
    }
    if (index == kDayOfWeek && Take('L')) {
      cron_.special_days_of_week_.push_back({Cron::Special::kLastOf, first->number % 7});
      return {};
    }
    if (index == kDayOfWeek && Take('#')) {
      const std::size_t nth_at = at_;
      if (Here() < '1' || Here() > '5') return Bad(field, nth_at, "after # stands 1 to 5, not " + Word(nth_at));
      cron_.special_days_of_week_.push_back({Cron::Special::kNthOf, first->number % 7, Here() - '0'});
      ++at_;
      return {};
    }
    int last = first->number;
    const bool range = Take('-');
    if (range) {
      const auto end = ParseValue(field);
      if (!end) return std::unexpected(end.error());
      last = end->number;
    }
    const auto step = ParseStep(field);
    if (!step) return std::unexpected(step.error());
    if (range || *step > 0) interval_ = true;
    if (!range && *step > 0) last = LastValue(index);
    if (range && last < first->number) {
      // Over the end: 22-2, sat-tue. 7 as a start is Sunday, which the week begins with.
      const int start = index == kDayOfWeek ? first->number % 7 : first->number;
      last = start <= last ? last : last + field.size();
      SetRange(index, start, last, std::max(*step, 1));
      return {};
    }
    (void)begin;
    SetRange(index, first->number, last, std::max(*step, 1));
    return {};
  }

  // What an open range ("5/10", "*") runs to. robfig's week ends with Saturday.
  int LastValue(std::size_t index) const {
    return index == kDayOfWeek && cron_.options_.dst == DstDialect::kLiteral ? 6 : kFields[index].highest;
  }

  // L, L-n, LW, L-nW.
  core::Result<void> ParseLastDay() {
    const Field& field = kFields[kDayOfMonth];
    ++at_;
    int back = 0;
    if (Take('-')) {
      const std::size_t begin = at_;
      const auto number = ParseNumber();
      if (!number || *number > 30) return Bad(field, begin, "after L- stands 0 to 30, not " + Word(begin));
      back = *number;
    }
    cron_.special_days_of_month_.push_back({Take('W') ? Cron::Special::kLastWeekday : Cron::Special::kLast, back});
    return {};
  }

  std::optional<int> ParseNumber() {
    if (!IsDigit(Here())) return std::nullopt;
    int number = 0;
    while (IsDigit(Here())) {
      number = std::min(number * 10 + (Here() - '0'), 1'000'000);
      ++at_;
    }
    return number;
  }

  core::Result<Value> ParseValue(const Field& field) {
    const std::size_t begin = at_;
    if (const auto number = ParseNumber()) {
      if (*number < field.lowest || *number > field.highest) {
        return Bad(field, begin, std::string(original_.substr(begin, at_ - begin)) + " is out of range");
      }
      return Value{*number, begin};
    }
    for (std::size_t i = 0; i < field.names.size(); ++i) {
      if (!std::string_view(text_).substr(begin).starts_with(field.names[i])) continue;
      at_ += 3;
      // FRIL is the last Friday; any other letter makes it another word.
      if (IsLetter(Here()) && !(field.names.size() == 7 && Here() == 'L')) break;
      return Value{static_cast<int>(i) + field.lowest, begin};
    }
    at_ = begin;
    if (AtEnd() || Here() == ',') return Bad(field, begin, "a value is missing");
    return Bad(field, begin, "cannot read " + Word(begin));
  }

  // 0 where there is none.
  core::Result<int> ParseStep(const Field& field) {
    if (!Take('/')) return 0;
    const std::size_t begin = at_;
    const auto step = ParseNumber();
    if (!step) return Bad(field, begin, "a step is a number, not " + Word(begin));
    if (*step < 1 || *step > field.highest) {
      return Bad(field, begin,
                 "a step of " + std::to_string(*step) + " is out of range (1 to " + std::to_string(field.highest) +
                     "; for other intervals write @every 90m)");
    }
    return *step;
  }

  // `last` may lie beyond the field's end: it then goes on at its beginning.
  void SetRange(std::size_t index, int first, int last, int step) {
    const Field& field = kFields[index];
    for (int value = first; value <= last; value += step) {
      const int wrapped = value > field.highest || (last > field.highest && value >= field.lowest + field.size())
                              ? value - field.size()
                              : value;
      Bits(index) |= std::uint64_t{1} << wrapped;
    }
  }

  std::string_view original_;
  std::string text_;
  std::size_t at_ = 0;
  bool any_ = false;       // an item of this field was * or ?
  bool interval_ = false;  // an item of this field had *, a range or a step
  Cron cron_;
};

core::Result<Cron> Cron::Parse(std::string_view expression, CronOptions options) {
  return CronParser(expression).Parse(options);
}

core::Result<DstDialect> ParseDstDialect(std::string_view text) {
  if (text == "debian") return DstDialect::kDebian;
  if (text == "literal") return DstDialect::kLiteral;
  if (text == "cronos") return DstDialect::kCronos;
  return core::Fail(core::ErrorCode::kInvalid,
                    "unknown daylight-saving dialect '" + std::string(text) + "': write debian, literal or cronos");
}

core::Result<DayRule> ParseDayRule(std::string_view text) {
  if (text == "or") return DayRule::kOr;
  if (text == "and") return DayRule::kAnd;
  return core::Fail(core::ErrorCode::kInvalid, "unknown day rule '" + std::string(text) + "': write or, or and");
}

}  // namespace pipewarden::agent
