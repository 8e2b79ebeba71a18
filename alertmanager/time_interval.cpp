#include "alertmanager/time_interval.h"

#include <algorithm>

#include "core/config/option_table.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;
using core::YamlNode;

constexpr core::Option kNamedOptions[] = {
    {.name = "name", .type = OptionType::kString, .required = true, .help = "what routes call it by"},
    {.name = "time_intervals", .type = OptionType::kNode, .help = "list of intervals; one of them suffices"},
};

constexpr core::Option kIntervalOptions[] = {
    {.name = "times", .type = OptionType::kNode, .help = "list of {start_time: \"09:00\", end_time: \"17:00\"}"},
    {.name = "weekdays", .type = OptionType::kOnlyStringList, .help = "names or ranges: [monday:friday, sunday]"},
    {.name = "days_of_month", .type = OptionType::kOnlyStringList, .help = "numbers or ranges: [1, \"-3:-1\"]"},
    {.name = "months", .type = OptionType::kOnlyStringList, .help = "names, numbers or ranges: [january:march, 12]"},
    {.name = "years", .type = OptionType::kOnlyStringList, .help = "numbers or ranges: [2026:2028]"},
    {.name = "location", .type = OptionType::kTimeZone, .default_text = "UTC", .help = "time zone of the fields"},
};

constexpr core::Option kTimeOptions[] = {
    {.name = "start_time", .type = OptionType::kString, .required = true, .help = "HH:MM, belongs to it"},
    {.name = "end_time",
     .type = OptionType::kString,
     .required = true,
     .help = "HH:MM up to 24:00, does not belong to it"},
};

template <class Parse>
std::vector<core::IntRange> ReadRanges(const core::Options& options, std::string_view name, Parse parse,
                                       core::ConfigErrors& errors) {
  std::vector<core::IntRange> ranges;
  for (const std::string& text : options.List(name)) {
    const core::Result<core::IntRange> range = parse(text);
    if (range)
      ranges.push_back(*range);
    else
      errors.Add(options.Where(name), "'" + std::string(name) + "' in a time interval: " + range.error().message);
  }
  return ranges;
}

core::TimeInterval ReadInterval(const YamlNode& node, core::ConfigErrors& errors) {
  const core::Options options = core::ReadOptions(node, kIntervalOptions, "a time interval", errors);
  core::TimeInterval interval;
  if (const YamlNode* times = options.Node("times"); times != nullptr) {
    if (!times->IsSequence()) errors.Add(times->where(), "'times' in a time interval must be a list");
    for (const YamlNode& item : times->items()) {
      const core::Options range = core::ReadOptions(item, kTimeOptions, "a range of times", errors);
      if (!range.Given("start_time") || !range.Given("end_time")) continue;
      const auto parsed = core::ParseTimeRange(range.Text("start_time"), range.Text("end_time"));
      if (parsed)
        interval.times.push_back(*parsed);
      else
        errors.Add(item.where(), "'times' in a time interval: " + parsed.error().message);
    }
  }
  interval.weekdays = ReadRanges(options, "weekdays", core::ParseWeekdayRange, errors);
  interval.days_of_month = ReadRanges(options, "days_of_month", core::ParseDayOfMonthRange, errors);
  interval.months = ReadRanges(options, "months", core::ParseMonthRange, errors);
  interval.years = ReadRanges(options, "years", core::ParseYearRange, errors);
  if (auto zone = core::TimeZone::Find(options.Text("location")); zone) interval.zone = *zone;
  return interval;
}

}  // namespace

bool NamedTimeInterval::Contains(core::WallTime time) const {
  return std::ranges::any_of(intervals, [&](const core::TimeInterval& interval) { return interval.Contains(time); });
}

NamedTimeInterval ReadTimeInterval(const YamlNode& node, core::ConfigErrors& errors) {
  const core::Options options = core::ReadOptions(node, kNamedOptions, "time_intervals", errors);
  NamedTimeInterval named{options.Text("name"), {}, node.where()};
  if (options.Given("name") && named.name.empty()) errors.Add(options.Where("name"), "missing name in a time interval");
  const YamlNode* intervals = options.Node("time_intervals");
  if (intervals == nullptr) return named;
  if (!intervals->IsSequence())
    errors.Add(intervals->where(), "'time_intervals' of '" + named.name + "' must be a list of intervals");
  for (const YamlNode& item : intervals->items()) named.intervals.push_back(ReadInterval(item, errors));
  return named;
}

}  // namespace pipewarden::alertmanager
