#include "agent/pipelines/pipeline.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <set>

#include "agent/pipelines/environment.h"
#include "core/model/labels.h"

namespace pipewarden::agent {
namespace {

using core::ConfigErrors;
using core::Option;
using core::Options;
using core::OptionType;
using core::YamlNode;

constexpr std::string_view kOverlaps[] = {"skip", "queue", "replace", "allow"};
constexpr std::string_view kCatchUps[] = {"none", "latest", "all"};
constexpr std::string_view kOnLosts[] = {"fail", "retry"};
constexpr std::string_view kDsts[] = {"debian", "literal", "cronos"};
constexpr std::string_view kDayRules[] = {"or", "and"};
constexpr std::string_view kExecutors[] = {"local"};

constexpr Option kPipelineOptions[] = {
    {.name = "schedule",
     .type = OptionType::kStringList,
     .help =
         "Cron expressions (five fields, or six with seconds first; @daily, @every 1h, …); left out: by hand only."},
    {.name = "timezone", .type = OptionType::kTimeZone, .help = "Zone of the schedule; left out: `global: timezone`."},
    {.name = "dst",
     .type = OptionType::kEnum,
     .default_text = "debian",
     .choices = kDsts,
     .help = "What happens to slots where the clock is changed: as Debian's cron, robfig's (Kubernetes, Temporal) or "
             "Cronos."},
    {.name = "day_rule",
     .type = OptionType::kEnum,
     .default_text = "or",
     .choices = kDayRules,
     .help = "How day of month and day of week join where both are restricted."},
    {.name = "env", .type = OptionType::kStringMap, .help = "Environment of every step; values are templates."},
    {.name = "secret_env",
     .type = OptionType::kStringMap,
     .help = "As env, but masked in stored output and never stored; write ${NAME} to take it from the agent's "
             "environment."},
    {.name = "secret_env_files",
     .type = OptionType::kStringMap,
     .help = "Variable to file: the value is read from the file before each attempt, and masked in stored output."},
    {.name = "inherit_env",
     .type = OptionType::kStringList,
     .help =
         "Variables that steps get from the agent's own environment, beyond PATH, HOME, USER, LANG, TZ and the like."},
    {.name = "params", .type = OptionType::kStringMap, .help = "Values that templates read as .Params.NAME."},
    {.name = "steps", .type = OptionType::kNode, .required = true, .help = "A map of names to steps, see steps."},
    {.name = "once",
     .type = OptionType::kBool,
     .default_text = "false",
     .help = "Succeeds once only (an initial load): a second run needs --again."},
    {.name = "overlap",
     .type = OptionType::kEnum,
     .default_text = "skip",
     .choices = kOverlaps,
     .help = "What becomes of a slot that falls due while a run is under way; replace cancels that run."},
    {.name = "catch_up",
     .type = OptionType::kEnum,
     .default_text = "none",
     .choices = kCatchUps,
     .help = "Which slots run that passed while the agent was down: none but one just missed, the latest, or all."},
    {.name = "catch_up_window",
     .type = OptionType::kDuration,
     .min = 0,
     .help = "How old a missed slot may be; left out: 5m for none, 7d for latest, 1d for all."},
    {.name = "catch_up_max",
     .type = OptionType::kInt,
     .default_text = "100",
     .min = 1,
     .max = 10000,
     .help = "At most so many missed slots run, the newest."},
    {.name = "sla", .type = OptionType::kNode, .help = "What is promised of its runs, see sla."},
    {.name = "keep_runs",
     .type = OptionType::kInt,
     .default_text = "500",
     .min = 1,
     .max = 1000000,
     .help = "Runs kept in the history, with their output."},
    {.name = "keep_for",
     .type = OptionType::kDuration,
     .default_text = "90d",
     .min = 60,
     .help = "How long runs and their output are kept."},
};

// What a step takes, and a pipeline as the default of its steps.
constexpr Option kSharedOptions[] = {
    {.name = "retries",
     .type = OptionType::kNode,
     .help = "How often a failed attempt is made again: a number, or a map, see retries."},
    {.name = "timeout",
     .type = OptionType::kDuration,
     .min = 0.001,
     .help = "How long one attempt may take; then its processes get SIGTERM, and SIGKILL after `grace`. Left out: no "
             "limit."},
    {.name = "grace",
     .type = OptionType::kDuration,
     .default_text = "10s",
     .min = 0,
     .help = "Time between SIGTERM and SIGKILL."},
    {.name = "cwd", .type = OptionType::kPath, .help = "Working directory; left out: the configuration file's folder."},
    {.name = "on_lost",
     .type = OptionType::kEnum,
     .default_text = "fail",
     .choices = kOnLosts,
     .help = "What becomes of an attempt whose end nobody knows (the machine died): failed, or made again."},
    {.name = "output_max",
     .type = OptionType::kBytes,
     .default_text = "1MiB",
     .min = 1024,
     .max = 1073741824,
     .help = "Stored output of an attempt; of more, head and tail are kept."},
};

constexpr Option kStepOptions[] = {
    {.name = "run",
     .type = OptionType::kNode,
     .required = true,
     .help = "The command: a list of arguments, or a string for /bin/sh -c."},
    {.name = "after", .type = OptionType::kStringList, .help = "Steps that must have succeeded before."},
    {.name = "env", .type = OptionType::kStringMap, .help = "Environment, over the pipeline's; values are templates."},
    {.name = "requires",
     .type = OptionType::kStringList,
     .help = "Components that must be healthy before the step starts; it waits."},
    {.name = "requires_timeout",
     .type = OptionType::kDuration,
     .default_text = "1h",
     .min = 1,
     .help = "How long the step waits for them; then it fails."},
    {.name = "keep_background",
     .type = OptionType::kBool,
     .default_text = "false",
     .help = "Processes that the step leaves behind are not ended with it."},
    {.name = "executor",
     .type = OptionType::kEnum,
     .default_text = "local",
     .choices = kExecutors,
     .help = "Where it runs."},
};

constexpr Option kRetryOptions[] = {
    {.name = "count",
     .type = OptionType::kInt,
     .required = true,
     .min = 0,
     .max = 1000,
     .help = "Attempts after the first."},
    {.name = "delay",
     .type = OptionType::kDuration,
     .default_text = "60s",
     .min = 0,
     .help = "Time before the first retry."},
    {.name = "backoff",
     .type = OptionType::kFloat,
     .default_text = "1",
     .min = 1,
     .max = 100,
     .help = "Each further delay is the one before times this."},
    {.name = "max_delay", .type = OptionType::kDuration, .default_text = "1h", .min = 0, .help = "No delay is longer."},
    {.name = "exit_codes",
     .type = OptionType::kStringList,
     .help = "Only these exit codes are tried again; left out: all."},
};

constexpr Option kSlaOptions[] = {
    {.name = "finish_by",
     .type = OptionType::kString,
     .help = "The run must have succeeded by the first such time of day (HH:MM, in the pipeline's zone) at or after "
             "its slot."},
    {.name = "start_within",
     .type = OptionType::kDuration,
     .min = 1,
     .help = "The run must start within this time after its slot."},
    {.name = "max_duration", .type = OptionType::kDuration, .min = 1, .help = "The run must take no longer."},
};

template <std::size_t N>
int IndexOf(const std::string_view (&words)[N], std::string_view word) {
  return static_cast<int>(std::find(words, words + N, word) - words);
}

// Names are labels, file names and arguments.
bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= 100 && name[0] != '.' && name[0] != '-' &&
         std::ranges::all_of(name,
                             [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.'; });
}
constexpr std::string_view kNameRule = " is no name that works everywhere (letters, digits, _, - and . are, up to 100)";

bool IsVariableName(std::string_view name) { return core::IsValidLabelName(name); }

// `templates`: the values are templates over this pipeline.
void CheckVariables(const EnvMap& env, const core::Location& where, const std::string& what, ConfigErrors& errors,
                    const PipelineConfig* templates = nullptr) {
  for (const auto& [name, value] : env) {
    if (templates != nullptr)
      if (auto checked = CheckTemplate(name, value, *templates); !checked)
        errors.Add(where, "'" + name + "' in " + what + ": " + checked.error().message);
    if (!IsVariableName(name))
      errors.Add(where, "'" + name + "' in " + what + " is no name of a variable (letters, digits and _)");
    else if (name.starts_with("PIPEWARDEN_"))
      errors.Add(where, "'" + name + "' in " + what + ": names with PIPEWARDEN_ are set by the agent (take another)");
    if (value.find('\0') != std::string::npos) errors.Add(where, "'" + name + "' in " + what + " holds a NUL byte");
  }
}

RetryPolicy ReadRetries(const YamlNode& node, const std::string& what, ConfigErrors& errors) {
  RetryPolicy policy;
  if (node.IsScalar()) {
    const auto count = node.AsInt();
    if (!count || *count < 0 || *count > 1000)
      errors.Add(node.where(), "'retries' in " + what +
                                   " must be a number up to 1000 or a map such as {count: 3, delay: 60s}, not '" +
                                   node.text() + "'");
    policy.count = static_cast<int>(count.value_or(0));
    return policy;
  }
  const Options options = core::ReadOptions(node, kRetryOptions, "retries of " + what, errors);
  policy.count = static_cast<int>(options.Has("count") ? options.Int("count") : 0);
  policy.delay = options.Duration("delay");
  policy.backoff = options.Float("backoff");
  policy.max_delay = options.Duration("max_delay");
  for (const std::string& code : options.List("exit_codes")) {
    char* end = nullptr;
    const long number = std::strtol(code.c_str(), &end, 10);
    if (code.empty() || *end != '\0' || number < 0 || number > 255)
      errors.Add(options.Where("exit_codes"), "'" + code + "' is no exit code (0 to 255)");
    policy.exit_codes.push_back(static_cast<int>(number));
  }
  return policy;
}

std::vector<std::string> ReadCommand(const YamlNode* node, const std::string& what, ConfigErrors& errors) {
  if (node == nullptr) return {"true"};  // ReadOptions has told
  std::vector<std::string> argv;
  if (node->IsScalar()) {
    if (node->text().empty()) errors.Add(node->where(), "'run' in " + what + " is empty (write the command)");
    return {"/bin/sh", "-c", node->text()};
  }
  if (!node->IsSequence() || node->items().empty()) {
    errors.Add(node->where(), "'run' in " + what + " must be a list of arguments or a string for the shell, not " +
                                  std::string(node->KindName()));
    return {"true"};
  }
  for (const YamlNode& item : node->items()) {
    if (!item.IsScalar())
      errors.Add(item.where(), "'run' in " + what + " holds " + std::string(item.KindName()) + ", not a string");
    argv.push_back(item.text());
  }
  return argv;
}

std::string AbsoluteFolder(const core::Location& where) {
  std::error_code ignored;
  const auto folder = std::filesystem::absolute(where.file, ignored).parent_path();
  return folder.empty() ? "/" : folder.string();
}

class PipelineReader {
 public:
  PipelineReader(const YamlNode::Entry& entry, ConfigErrors& errors) : entry_(entry), errors_(errors) {}

  PipelineConfig Read() {
    const std::string what = "pipeline '" + entry_.key + "'";
    if (!IsName(entry_.key)) errors_.Add(entry_.key_where, "'" + entry_.key + "'" + std::string(kNameRule));
    config_.name = entry_.key;
    config_.where = entry_.key_where;
    config_.identity = entry_.value.Canonical();
    const core::OptionTable tables[] = {kPipelineOptions, kSharedOptions};
    const Options options = core::ReadOptions(entry_.value, tables, what, errors_);
    ReadSchedule(options, what);
    ReadEnvironment(options, what);
    config_.once = options.Bool("once");
    config_.overlap = static_cast<Overlap>(IndexOf(kOverlaps, options.Text("overlap")));
    config_.catch_up = static_cast<CatchUp>(IndexOf(kCatchUps, options.Text("catch_up")));
    static constexpr core::Duration kWindows[] = {std::chrono::minutes(5), std::chrono::hours(24 * 7),
                                                  std::chrono::hours(24)};
    config_.catch_up_window = options.Given("catch_up_window") ? options.Duration("catch_up_window")
                                                               : kWindows[static_cast<int>(config_.catch_up)];
    config_.catch_up_max = static_cast<int>(options.Int("catch_up_max"));
    config_.keep_runs = static_cast<int>(options.Int("keep_runs"));
    config_.keep_for = options.Duration("keep_for");
    if (const YamlNode* sla = options.Node("sla")) ReadSla(*sla, what);
    ReadSteps(options, what);
    return std::move(config_);
  }

 private:
  void ReadSchedule(const Options& options, const std::string& what) {
    config_.timezone = options.Text("timezone");
    CronOptions cron;
    cron.dst = static_cast<DstDialect>(IndexOf(kDsts, options.Text("dst")));
    cron.day_rule = static_cast<DayRule>(IndexOf(kDayRules, options.Text("day_rule")));
    const YamlNode* given = entry_.value.IsMap() ? entry_.value.Find("schedule") : nullptr;
    const auto expressions = options.List("schedule");
    for (std::size_t i = 0; i < expressions.size(); ++i) {
      auto parsed = Cron::Parse(expressions[i], cron);
      if (parsed) {
        config_.schedules.push_back(std::move(*parsed));
        continue;
      }
      const bool listed = given != nullptr && given->IsSequence() && i < given->items().size();
      errors_.Add(listed ? given->items()[i].where() : options.Where("schedule"),
                  "'schedule' in " + what + ": " + parsed.error().message);
    }
  }

  void ReadEnvironment(const Options& options, const std::string& what) {
    config_.env = options.Map("env");
    config_.params = options.Map("params");
    config_.inherit_env = options.List("inherit_env");
    CheckVariables(config_.env, options.Where("env"), "env of " + what, errors_, &config_);
    for (const auto& [name, value] : options.Map("secret_env"))
      config_.secrets.push_back({.name = name, .value = core::Secret(value), .file = ""});
    for (const auto& [name, file] : options.Map("secret_env_files")) {
      const std::string path = file.starts_with('/') ? file : AbsoluteFolder(config_.where) + "/" + file;
      if (!std::filesystem::exists(path))
        errors_.Add(options.Where("secret_env_files"),
                    "secret file " + path + " of " + what + " is not there (make it, readable for the agent's user)");
      config_.secrets.push_back({.name = name, .value = core::Secret(), .file = path});
    }
    EnvMap names;
    for (const SecretVariable& secret : config_.secrets) names.emplace_back(secret.name, "");
    CheckVariables(names, options.Where("secret_env"), "the secrets of " + what, errors_);
  }

  void ReadSla(const YamlNode& node, const std::string& what) {
    const Options options = core::ReadOptions(node, kSlaOptions, "sla of " + what, errors_);
    if (options.Has("start_within")) config_.sla.start_within = options.Duration("start_within");
    if (options.Has("max_duration")) config_.sla.max_duration = options.Duration("max_duration");
    const std::string by = options.Text("finish_by");
    if (by.empty()) return;
    const bool shaped =
        by.size() == 5 && by[2] == ':' &&
        std::ranges::all_of(by.substr(0, 2) + by.substr(3), [](unsigned char c) { return std::isdigit(c) != 0; });
    const int hour = shaped ? std::stoi(by.substr(0, 2)) : 99;
    const int minute = shaped ? std::stoi(by.substr(3)) : 99;
    if (hour > 23 || minute > 59) {
      errors_.Add(options.Where("finish_by"),
                  "'finish_by' in sla of " + what + " is '" + by + "', not a time of day such as \"05:00\"");
      return;
    }
    config_.sla.finish_by = hour * 3600 + minute * 60;
  }

  void ReadSteps(const Options& options, const std::string& what) {
    const YamlNode* steps = options.Node("steps");
    if (steps == nullptr) return;
    if (!steps->IsMap() || steps->entries().empty()) {
      errors_.Add(steps->where(), "'steps' in " + what + " must be a map of names to steps, not " +
                                      std::string(steps->IsMap() ? "an empty map" : steps->KindName()));
      return;
    }
    StepConfig defaults;
    ReadShared(options, what, defaults);
    std::map<std::string, core::Location, std::less<>> places;
    for (const YamlNode::Entry& entry : steps->entries()) {
      places[entry.key] = entry.key_where;
      config_.steps.push_back(ReadStep(entry, defaults, what));
    }
    CheckAfter(*steps, what);
  }

  void ReadShared(const Options& options, const std::string& what, StepConfig& step) {
    if (const YamlNode* retries = options.Node("retries")) step.retries = ReadRetries(*retries, what, errors_);
    if (options.Given("timeout")) step.timeout = options.Duration("timeout");
    if (options.Given("grace")) step.grace = options.Duration("grace");
    if (options.Given("cwd")) step.cwd = std::filesystem::absolute(options.Text("cwd")).string();
    if (step.cwd.empty()) step.cwd = AbsoluteFolder(config_.where);
    if (options.Given("on_lost")) step.on_lost = static_cast<OnLost>(IndexOf(kOnLosts, options.Text("on_lost")));
    if (options.Given("output_max")) step.output_max = options.Bytes("output_max");
  }

  StepConfig ReadStep(const YamlNode::Entry& entry, const StepConfig& defaults, const std::string& pipeline) {
    const std::string what = "step '" + entry.key + "' of " + pipeline;
    if (!IsName(entry.key)) errors_.Add(entry.key_where, "'" + entry.key + "'" + std::string(kNameRule));
    const core::OptionTable tables[] = {kStepOptions, kSharedOptions};
    const Options options = core::ReadOptions(entry.value, tables, what, errors_);
    StepConfig step = defaults;
    step.name = entry.key;
    ReadShared(options, what, step);
    step.argv = ReadCommand(options.Node("run"), what, errors_);
    step.after = options.List("after");
    step.env = options.Map("env");
    CheckVariables(step.env, options.Where("env"), "env of " + what, errors_, &config_);
    step.needs = options.List("requires");
    step.needs_timeout = options.Duration("requires_timeout");
    step.keep_background = options.Bool("keep_background");
    return step;
  }

  void CheckAfter(const YamlNode& steps, const std::string& what) {
    std::vector<std::string_view> names;
    for (const StepConfig& step : config_.steps) names.push_back(step.name);
    for (const StepConfig& step : config_.steps) {
      const YamlNode* node = steps.Find(step.name);
      const YamlNode* after = node != nullptr && node->IsMap() ? node->Find("after") : nullptr;
      for (std::size_t i = 0; i < step.after.size(); ++i) {
        if (std::ranges::find(names, step.after[i]) != names.end()) continue;
        errors_.Add(after->IsSequence() ? after->items()[i].where() : after->where(),
                    "step '" + step.name + "' of " + what + " comes after '" + step.after[i] +
                        "', which is no step of it" + core::DidYouMean(step.after[i], names));
      }
    }
    const std::string cycle = FindCycle(config_.steps);
    if (!cycle.empty())
      errors_.Add(steps.where(),
                  "the steps of " + what + " wait for one another in a circle: " + cycle + " (take one 'after' out)");
    else
      SortSteps();
  }

  // Each after all it depends on, else in the order of the file.
  void SortSteps() {
    std::vector<StepConfig> sorted;
    std::set<std::string> done, known;
    for (const StepConfig& step : config_.steps) known.insert(step.name);
    while (sorted.size() < config_.steps.size()) {
      for (const StepConfig& step : config_.steps) {
        if (done.contains(step.name)) continue;
        if (!std::ranges::all_of(step.after,
                                 [&](const std::string& name) { return done.contains(name) || !known.contains(name); }))
          continue;
        done.insert(step.name);
        sorted.push_back(step);
        break;
      }
    }
    config_.steps = std::move(sorted);
  }

  const YamlNode::Entry& entry_;
  ConfigErrors& errors_;
  PipelineConfig config_;
};

}  // namespace

core::Duration RetryPolicy::DelayAfter(int failures) const {
  const double factor = std::pow(backoff, std::max(0, failures - 1));
  const double seconds = std::min(core::ToSeconds(delay) * factor, core::ToSeconds(max_delay));
  return std::chrono::duration_cast<core::Duration>(std::chrono::duration<double>(seconds));
}

std::string PipelineConfig::ScheduleText() const {
  std::string text;
  for (const Cron& cron : schedules) text += (text.empty() ? "" : " | ") + cron.expression();
  return text;
}

std::vector<PipelineConfig> ReadPipelines(const YamlNode& section, ConfigErrors& errors) {
  std::vector<PipelineConfig> configs;
  if (section.IsNull()) return configs;
  if (!section.IsMap()) {
    errors.Add(section.where(),
               "'pipelines' must be a map of names to pipelines, not " + std::string(section.KindName()));
    return configs;
  }
  for (const YamlNode::Entry& entry : section.entries()) {
    const std::size_t before = errors.size();
    PipelineConfig config = PipelineReader(entry, errors).Read();
    if (errors.size() == before) configs.push_back(std::move(config));
  }
  return configs;
}

core::OptionTable PipelineOptionTable() { return kPipelineOptions; }
core::OptionTable StepOptionTable() { return kStepOptions; }
core::OptionTable SharedStepOptionTable() { return kSharedOptions; }
core::OptionTable RetryOptionTable() { return kRetryOptions; }
core::OptionTable SlaOptionTable() { return kSlaOptions; }

std::string FindCycle(const std::vector<StepConfig>& steps) {
  std::map<std::string, const StepConfig*> by_name;
  for (const StepConfig& step : steps) by_name[step.name] = &step;
  enum class Mark { kNew, kOpen, kDone };
  std::map<std::string, Mark> marks;
  std::vector<std::string> path;
  std::string cycle;
  const std::function<bool(const std::string&)> visit = [&](const std::string& name) {
    Mark& mark = marks[name];
    if (mark == Mark::kDone || !by_name.contains(name)) return false;
    if (mark == Mark::kOpen) {
      for (auto it = std::ranges::find(path, name); it != path.end(); ++it) cycle += *it + " -> ";
      cycle += name;
      return true;
    }
    mark = Mark::kOpen;
    path.push_back(name);
    for (const std::string& before : by_name[name]->after)
      if (visit(before)) return true;
    path.pop_back();
    marks[name] = Mark::kDone;
    return false;
  };
  for (const StepConfig& step : steps)
    if (visit(step.name)) return cycle;
  return "";
}

}  // namespace pipewarden::agent
