// The source `file`: the newest of the files or folders that a pattern names, by their modification time, or by the
// date in their path where they are partitions (dt=2026-03-14, 2026/hour=05 and the like). Only what the pattern names
// is looked at, aside, because a file system may hang; a folder that has not changed is not listed again.
#include <re2/re2.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>

#include "core/async/aside.h"
#include "core/model/matcher.h"
#include "exporters/freshness_sources/list.h"
#include "exporters/logs/glob.h"

namespace pipewarden::exporters {
namespace {

using core::OptionType;

constexpr std::size_t kMaxMatches = 100'000;
constexpr core::Duration kPatience = std::chrono::minutes(2);  // 100,000 of them over a slow network
constexpr std::string_view kTimes[] = {"mtime", "partition"};

constexpr core::Option kOptions[] = {
    {.name = "glob",
     .type = OptionType::kPath,
     .required = true,
     .help =
         "Files or folders to look at: /data/gold/orders/dt=*, /data/in/**/*.csv. `*`, `?` and `[..]` within a name, "
         "`**` for any depth."},
    {.name = "time",
     .type = OptionType::kEnum,
     .default_text = "mtime",
     .choices = kTimes,
     .help = "What tells the age: the modification time, or the date of the partition in the path."},
    {.name = "partition",
     .type = OptionType::kRegex,
     .default_text =
         R"((?P<year>\d{4})-?(?P<month>\d{2})-?(?P<day>\d{2})(?:(?:[-T_]|/(?:hour|hr|h)=)(?P<hour>\d{2})(?:\D|$))?)",
     .help = "With `time: partition`: where the date stands in the path (groups year, month, day, and hour where there "
             "is one). A partition counts as updated at its end: dt=2026-03-14 at the midnight after it."},
    {.name = "timezone",
     .type = OptionType::kTimeZone,
     .default_text = "UTC",
     .help = "With `time: partition`: the zone of the partitions' dates."},
};
const core::OptionTable kTables[] = {kOptions};

struct FileOptions {
  std::string pattern;
  bool by_partition = false;
  std::shared_ptr<const re2::RE2> partition;
  core::TimeZone zone;
};

// The end of the partition that the path names; the last match in it counts.
std::optional<core::WallTime> PartitionEnd(const FileOptions& options, const std::string& path) {
  const re2::RE2& regex = *options.partition;
  const auto& groups = regex.NamedCapturingGroups();
  const auto group = [&](const char* name) {
    const auto found = groups.find(name);
    return found == groups.end() ? 0 : found->second;
  };
  std::vector<re2::StringPiece> matches(static_cast<std::size_t>(regex.NumberOfCapturingGroups()) + 1);
  std::optional<core::WallTime> end;
  for (std::size_t at = 0; at <= path.size();) {
    if (!regex.Match(path, at, path.size(), re2::RE2::UNANCHORED, matches.data(), static_cast<int>(matches.size())))
      break;
    const auto number = [&](int index) {
      if (index == 0) return -1;
      const re2::StringPiece text = matches[static_cast<std::size_t>(index)].substr(0, 4);
      int value = -1;
      const auto [last, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      return error == std::errc() && last == text.data() + text.size() ? value : -1;  // a user's group may hold letters
    };
    const core::CivilTime start{
        .year = number(group("year")), .month = number(group("month")), .day = number(group("day"))};
    const int hour = number(group("hour"));
    at = static_cast<std::size_t>(matches[0].data() - path.data()) + std::max<std::size_t>(matches[0].size(), 1);
    if (start.year < 1970 || start.month < 1 || start.month > 12 || start.day < 1 ||
        start.day > core::DaysInMonth(start.year, start.month) || hour > 23)
      continue;
    const std::int64_t local = core::CivilSeconds(start) + (hour < 0 ? 86400 : (hour + 1) * 3600);
    end = core::WallTime{std::chrono::seconds{options.zone.ToUtc(local).earlier}};
  }
  return end;
}

// What one look finds. The cache of listings is the source's own, and looks do not overlap.
core::Result<FreshnessReading> Look(const FileOptions& options, DirectoryCache& cache, core::WallTime now) {
  cache.NewPoll();
  const std::vector<std::string> paths = ExpandGlob(cache, options.pattern);
  if (paths.size() > kMaxMatches)
    return core::Fail(core::ErrorCode::kLimit,
                      options.pattern + " names " + std::to_string(paths.size()) +
                          " files, more than 100000: narrow the pattern, to folders for instance");
  FreshnessReading reading;
  core::Error denied;
  for (const std::string& path : paths) {
    struct stat info{};
    if (stat(path.c_str(), &info) != 0) {
      if (errno != ENOENT && errno != ENOTDIR) denied = core::SystemError("look at " + path, errno);
      continue;  // gone meanwhile
    }
    std::optional<core::WallTime> time;
    if (options.by_partition) {
      time = PartitionEnd(options, path);
      if (time && *time > now) time = now;  // the partition of today
    } else {
      time = core::WallTime{std::chrono::seconds{info.st_mtim.tv_sec} + std::chrono::nanoseconds{info.st_mtim.tv_nsec}};
    }
    if (!time || (reading.last_update && *time < *reading.last_update)) continue;
    reading.last_update = time;
    reading.what = path;
  }
  if (!reading.last_update && !denied.message.empty()) return core::Fail(denied);
  if (!reading.last_update && options.by_partition && !paths.empty())
    return core::Fail(core::ErrorCode::kInvalid, "none of the " + std::to_string(paths.size()) + " paths, such as " +
                                                     paths.front() + ", names a date that `partition` matches");
  return reading;
}

class FileSource final : public FreshnessSource {
 public:
  explicit FileSource(FileOptions options) : state_(std::make_shared<State>(State{std::move(options), {}})) {}

  core::Task<core::Result<FreshnessReading>> Read(core::Loop& loop) override {
    const core::WallTime now = loop.clock().Now();
    const auto state = state_;
    core::Result<FreshnessReading> result =
        co_await aside_.Run(loop, kPatience, [state, now] { return Look(state->options, state->cache, now); });
    if (!result && result.error().code == core::ErrorCode::kTimeout)
      result = core::Fail(result.error().Within("looking at " + state->options.pattern));
    co_return result;
  }

 private:
  struct State {
    FileOptions options;
    DirectoryCache cache;
  };
  std::shared_ptr<State> state_;
  core::Aside aside_;
};

std::unique_ptr<FreshnessSource> Make(const core::Options& options, core::ConfigErrors& errors) {
  FileOptions file;
  file.pattern = options.Text("glob");
  if (!file.pattern.empty()) file.pattern = std::filesystem::absolute(file.pattern).lexically_normal().string();
  file.by_partition = options.Text("time") == "partition";
  if (const auto regex = core::CompileRegex(options.Text("partition"))) {
    file.partition = *regex;
    for (const char* group : {"year", "month", "day"})
      if (!(*regex)->NamedCapturingGroups().contains(group))
        errors.Add(options.Where("partition"), std::string("`partition` has no group (?P<") + group + ">...)");
  }
  if (const auto zone = core::TimeZone::Find(options.Text("timezone"))) file.zone = *zone;  // the table has checked it
  if (options.Given("partition") && !file.by_partition)
    errors.Add(options.Where("partition"), "`partition` needs `time: partition`");
  return std::make_unique<FileSource>(std::move(file));
}

}  // namespace

const FreshnessSourceKind kFileFreshnessSource{.name = "file",
                                               .summary = "The newest file of a pattern, or the newest partition.",
                                               .options = kTables,
                                               .make = &Make};

}  // namespace pipewarden::exporters
