#include "agent/dead_man.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <utility>

namespace pipewarden::agent {
namespace {

using core::Option;
using core::OptionType;

constexpr Option kOptions[] = {
    {.name = "url",
     .type = OptionType::kSecret,
     .help = "Address that is asked (GET) at each interval while all is well, as of healthchecks.io."},
    {.name = "fail_url",
     .type = OptionType::kSecret,
     .help = "Address that is told what is wrong (POST, text) instead while something is; left out: nothing is sent "
             "then."},
    {.name = "interval",
     .type = OptionType::kDuration,
     .default_text = "1m",
     .min = 1,
     .max = 86400,
     .help = "How often."},
    {.name = "timeout",
     .type = OptionType::kDuration,
     .default_text = "10s",
     .min = 0.1,
     .max = 600,
     .help = "Of one request."},
    {.name = "patience",
     .type = OptionType::kDuration,
     .default_text = "10m",
     .help = "Notifications by an integration may fail for this long before the agent counts as unable to warn."},
    {.name = "watchdog",
     .type = OptionType::kBool,
     .default_text = "false",
     .help = "An alert `Watchdog` (severity none) fires while all is well; route it to what misses it."},
};

void CheckUrl(const core::Options& options, std::string_view name, core::ConfigErrors& errors) {
  if (!options.Given(name)) return;
  const std::string url = options.Secret(name).Reveal();
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    errors.Add(options.Where(name), "'" + std::string(name) + "' of dead_man must begin with http:// or https://");
}

}  // namespace

core::OptionTable DeadManOptions() { return kOptions; }

DeadManConfig ReadDeadMan(const core::YamlNode& node, core::ConfigErrors& errors) {
  const core::Options options = core::ReadOptions(node, kOptions, "dead_man", errors);
  for (const std::string_view name : {"url", "fail_url"}) CheckUrl(options, name, errors);
  DeadManConfig config;
  if (options.Has("url")) config.url = options.Secret("url");
  if (options.Has("fail_url")) config.fail_url = options.Secret("fail_url");
  config.interval = options.Duration("interval");
  config.timeout = options.Duration("timeout");
  config.patience = options.Duration("patience");
  config.watchdog = options.Bool("watchdog");
  config.identity = options.Identity();
  if (!config.enabled())
    errors.Add(node.where(), "dead_man gives no sign of life: set 'url', or 'watchdog: true', or take it out");
  return config;
}

struct DeadMan::Metrics {
  explicit Metrics(prometheus::Registry& registry)
      : pings(prometheus::BuildCounter()
                  .Name("pipewarden_dead_man_pings_total")
                  .Help("Signs of life by result: sent, failed (nobody took it), withheld (the agent is sick).")
                  .Register(registry)),
        sick(prometheus::BuildGauge()
                 .Name("pipewarden_dead_man_sick")
                 .Help("1 while the dead man's switch withholds its sign of life.")
                 .Register(registry)) {}
  void Count(const char* result) { pings.Add({{"result", result}}).Increment(); }

  prometheus::Family<prometheus::Counter>& pings;
  prometheus::Family<prometheus::Gauge>& sick;
};

DeadMan::DeadMan(core::Loop& loop, core::Logger logger, const std::shared_ptr<prometheus::Registry>& registry,
                 Parts parts)
    : loop_(loop),
      logger_(std::move(logger)),
      parts_(std::move(parts)),
      metrics_(std::make_unique<Metrics>(*registry)),
      tasks_(loop) {}

DeadMan::~DeadMan() { tasks_.Cancel(); }

void DeadMan::Apply(DeadManConfig config) {
  if (config.identity == identity_) return;
  identity_ = config.identity;
  if (running_ != 0) tasks_.Cancel(std::exchange(running_, 0));
  last_trouble_ = "0";
  if (config.enabled())
    running_ = tasks_.SpawnCancellable("dead man", Run(std::make_shared<const DeadManConfig>(std::move(config))));
}

core::Task<void> DeadMan::Run(std::shared_ptr<const DeadManConfig> config) {
  for (core::MonoTime next = loop_.clock().Monotonic();;) {
    co_await loop_.SleepUntil(next);
    co_await Once(config);
    next += config->interval;
    if (const core::MonoTime now = loop_.clock().Monotonic(); next <= now) next = now + config->interval;
  }
}

core::Task<void> DeadMan::Once(std::shared_ptr<const DeadManConfig> config) {
  const std::vector<std::string> sickness = parts_.sickness(config->patience);
  std::string trouble;
  for (const std::string& one : sickness) trouble += one + "\n";
  metrics_->sick.Add({}).Set(sickness.empty() ? 0 : 1);
  core::Result<void> sent;
  if (!sickness.empty()) {
    metrics_->Count("withheld");
    if (!config->fail_url.empty()) sent = co_await parts_.send(config->fail_url.Reveal(), trouble, config->timeout);
  } else {
    if (config->watchdog) {
      core::Alert alert;
      alert.labels = {{"alertname", "Watchdog"}, {"severity", "none"}};
      alert.annotations = {{"summary", "Always fires while the agent can do its work"}};
      alert.ends_at = loop_.clock().Now() + 3 * config->interval;
      parts_.put(std::move(alert));
    }
    if (!config->url.empty()) {
      sent = co_await parts_.send(config->url.Reveal(), "", config->timeout);
      metrics_->Count(sent ? "sent" : "failed");
    }
  }
  if (!sent) trouble += "the sign of life was not taken: " + sent.error().message;
  // Told when it begins, changes or ends; not how long it has lasted by now.
  const std::string kind = std::to_string(sickness.size()) + (sent ? "" : sent.error().message);
  if (kind == std::exchange(last_trouble_, kind)) co_return;
  if (trouble.empty())
    logger_.Info("the sign of life goes out again");
  else
    logger_.Warn(sickness.empty() ? "no sign of life gets out" : "the sign of life is withheld", {{"error", trouble}});
}

core::Task<void> DeadMan::Stop() {
  tasks_.Cancel();
  co_await tasks_.Join();
}

}  // namespace pipewarden::agent
