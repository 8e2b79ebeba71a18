// The section `freshness` and the verdict: ReadFreshness and JudgeFreshness of freshness.h.
#include <algorithm>
#include <array>

#include "core/read_file.h"
#include "core/time/duration.h"
#include "exporters/freshness_sources/list.h"

namespace pipewarden::exporters {
namespace {

using core::OptionType;

#define X(Kind) &k##Kind##FreshnessSource,
constexpr std::array kKinds = {PIPEWARDEN_FRESHNESS_SOURCES(X)};
#undef X

constexpr core::Option kCommonOptions[] = {
    {.name = "name", .required = true, .help = "What metrics (label `freshness`), alerts and pages call it. Unique."},
    {.name = "source", .required = true, .help = "Where the data is: one of the sources below."},
    {.name = "interval",
     .type = OptionType::kDuration,
     .default_text = "1m",
     .min = 1,
     .max = 86400,
     .help = "How often it is looked at. Age and verdict move on in between."},
    {.name = "max_age",
     .type = OptionType::kDuration,
     .min = 1,
     .help = "The data is due when its newest is older than this."},
    {.name = "expected",
     .type = OptionType::kNode,
     .help =
         "By when new data is expected: a map of `by`, `days`, `timezone`, `holidays`. It is due when such a time has "
         "passed and nothing has come since the one before."},
    {.name = "depends_on",
     .type = OptionType::kStringList,
     .help = "Pipelines and components that make the data: where one of them has failed, that is the cause."},
};

constexpr core::Option kExpectedOptions[] = {
    {.name = "by",
     .required = true,
     .help = "Time of day, such as \"06:00\"; in quotes, or YAML 1.1 tools read a number."},
    {.name = "days",
     .default_text = "daily",
     .help = "Days on which it is expected: daily, weekdays, weekends, or names and ranges (mon-fri, \"mon,thu\")."},
    {.name = "timezone", .type = OptionType::kTimeZone, .default_text = "UTC", .help = "The zone of `by` and `days`."},
    {.name = "holidays",
     .type = OptionType::kPath,
     .help = "File of days on which nothing is expected: a date a line (2026-12-25), or iCalendar."},
};

std::optional<ExpectedBy> ReadExpected(const core::YamlNode& node, const std::string& what, std::string& identity,
                                       core::ConfigErrors& errors) {
  if (!node.IsMap()) {
    errors.Add(node.where(), "`expected` is a map: {by: \"06:00\", days: weekdays}");
    return std::nullopt;
  }
  const core::Options options = core::ReadOptions(node, kExpectedOptions, "`expected` of " + what, errors);
  ExpectedBy expected;
  const auto minute = core::ParseTimeOfDay(options.Text("by"));
  if (minute) {
    expected.minute_of_day = *minute;
  } else if (options.Given("by")) {
    errors.Add(options.Where("by"), minute.error().message);
  }
  const auto days = core::ParseWeekdays(options.Text("days"));
  if (days) {
    expected.days.weekdays = *days;
  } else {
    errors.Add(options.Where("days"), days.error().message);
  }
  if (const auto zone = core::TimeZone::Find(options.Text("timezone"))) expected.zone = *zone;
  if (const std::string path = options.Text("holidays"); !path.empty()) {
    const auto content = core::ReadFile(path, 1U << 20U);
    const auto holidays = core::ParseHolidays(content.value_or(""));
    if (!content) {
      errors.Add(options.Where("holidays"), "cannot read the holidays file " + path + ": " + content.error().message);
    } else if (!holidays) {
      errors.Add(options.Where("holidays"), path + ": " + holidays.error().message);
    } else {
      expected.days.holidays = *holidays;
      identity += '\0' + *content;
    }
  }
  return expected;
}

std::optional<FreshnessConfig> ReadOne(const core::YamlNode& node, core::ConfigErrors& errors) {
  const core::YamlNode* name = node.Find("name");
  const std::string what = name != nullptr && name->IsScalar() ? "freshness '" + name->text() + "'" : "freshness";
  const core::YamlNode* source = node.Find("source");
  std::vector<std::string_view> names;
  for (const FreshnessSourceKind* kind : kKinds) names.push_back(kind->name);
  if (source == nullptr || !source->IsScalar()) {
    errors.Add(source == nullptr ? node.where() : source->where(), what + " needs a `source`, such as file");
    return std::nullopt;
  }
  const auto kind = std::ranges::find(kKinds, source->text(), &FreshnessSourceKind::name);
  if (kind == kKinds.end()) {
    errors.Add(source->where(),
               "unknown source '" + source->text() + "' of " + what + core::DidYouMean(source->text(), names));
    return std::nullopt;
  }
  std::vector<core::OptionTable> tables = {kCommonOptions};
  tables.insert(tables.end(), (*kind)->options.begin(), (*kind)->options.end());
  const core::Options options = core::ReadOptions(node, tables, what, errors);
  FreshnessConfig config;
  config.name = options.Text("name");
  config.where = node.where();
  config.kind = *kind;
  config.interval = options.Duration("interval");
  if (options.Has("max_age")) config.max_age = options.Duration("max_age");
  config.depends_on = options.List("depends_on");
  config.identity = options.Identity();
  if (const core::YamlNode* expected = options.Node("expected"))
    config.expected = ReadExpected(*expected, what, config.identity, errors);
  config.source = (*kind)->make(options, errors);
  return config;
}

std::string When(core::WallTime time) { return core::FormatRfc3339(std::chrono::floor<std::chrono::seconds>(time)); }

}  // namespace

std::span<const FreshnessSourceKind* const> FreshnessSourceKinds() { return kKinds; }
core::OptionTable CommonFreshnessOptions() { return kCommonOptions; }
core::OptionTable FreshnessExpectedOptions() { return kExpectedOptions; }

std::vector<FreshnessConfig> ReadFreshness(const core::YamlNode& section, core::ConfigErrors& errors) {
  std::vector<FreshnessConfig> configs;
  if (section.IsNull()) return configs;
  if (!section.IsSequence()) {
    errors.Add(section.where(), "`freshness` is " + std::string(section.KindName()) +
                                    ": write a list, each entry a map with `name` and `source`");
    return configs;
  }
  std::map<std::string, core::Location> places;
  for (const core::YamlNode& node : section.items()) {
    if (!node.IsMap()) {
      errors.Add(node.where(),
                 "a freshness entry is a map with `name` and `source`, not " + std::string(node.KindName()));
      continue;
    }
    auto config = ReadOne(node, errors);
    if (!config || config->name.empty()) continue;
    const auto [first, inserted] = places.emplace(config->name, config->where);
    if (inserted) {
      configs.push_back(std::move(*config));
    } else {
      errors.Add(config->where, "freshness '" + config->name + "' is there twice, first at " +
                                    first->second.ToString() + ": give one of them another name");
    }
  }
  return configs;
}

ExpectedBy::Times ExpectedBy::Around(core::WallTime now) const {
  Times times;
  const core::CivilDate today = core::CivilDate::Of(zone.ToLocal(now));
  // From two days ahead (a date may lead the zone's day) backwards, until both that have passed are known.
  for (int days_ahead = 60; days_ahead >= -60 && !times.before_last; --days_ahead) {
    const core::CivilDate date = today.Plus(days_ahead);
    if (!days.IsWorkingDay(date)) continue;
    const std::int64_t local =
        core::CivilSeconds({.year = date.year, .month = date.month, .day = date.day}) + minute_of_day * 60;
    const auto instants = zone.ToUtc(local);
    const core::WallTime time{
        std::chrono::seconds{instants.kind == core::TimeZone::Kind::kGap ? instants.gap_end : instants.earlier}};
    if (time > now) {
      times.next = time;
    } else if (!times.last) {
      times.last = time;
    } else {
      times.before_last = time;
    }
  }
  return times;
}

FreshnessVerdict JudgeFreshness(const FreshnessConfig& config, const std::optional<core::WallTime>& last_update,
                                core::WallTime now) {
  FreshnessVerdict verdict;
  const auto tell = [&](bool& what, std::string reason) {
    verdict.due = what = true;
    if (verdict.reason.empty()) verdict.reason = std::move(reason);
  };
  if (config.max_age && last_update && now - *last_update > *config.max_age)
    tell(verdict.too_old,
         "last updated at " + When(*last_update) + ", more than " + core::FormatDuration(*config.max_age) + " ago");
  if (config.expected) {
    const ExpectedBy::Times times = config.expected->Around(now);
    const bool came = last_update && (!times.before_last || *last_update > *times.before_last);
    if (times.last && !came)
      tell(verdict.missing, "expected by " + When(*times.last) + ", " +
                                (last_update ? "last updated at " + When(*last_update) : "nothing found"));
  }
  if (config.max_age && !last_update) tell(verdict.missing, "nothing found");
  return verdict;
}

}  // namespace pipewarden::exporters
