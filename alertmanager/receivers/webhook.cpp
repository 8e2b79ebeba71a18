// webhook: posts the group as JSON, the format that Alertmanager's users write programs against (version "4").
// Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config. One request a notification.
#include "alertmanager/field_renderer.h"
#include "alertmanager/go_json.h"
#include "alertmanager/http_settings.h"
#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "url", .type = OptionType::kSecret, .required = true, .help = "where to post; may hold templates"},
    {.name = "max_alerts",
     .type = OptionType::kInt,
     .default_text = "0",
     .min = 0,
     .help = "at most so many; 0 is all"},
    {.name = "timeout", .type = OptionType::kDuration, .default_text = "0s", .help = "for one request; 0 is none"},
};

std::string Body(const Notification& n, std::size_t truncated) {
  GoJson json;
  json.Open('{').Field("receiver", n.ReceiverForDisplay()).Field("status", n.Status()).Key("alerts").Open('[');
  for (const core::Alert& alert : n.alerts) {
    json.Open('{').Field("status", Notification::Resolved(alert) ? "resolved" : "firing");
    json.Key("labels").Map(alert.labels).Key("annotations").Map(alert.annotations);
    json.Field("startsAt", GoTime(alert.starts_at)).Field("endsAt", GoTime(alert.ends_at));
    json.Field("generatorURL", alert.generator_url).Field("fingerprint", FingerprintText(alert)).Close('}');
  }
  json.Close(']').Key("groupLabels").Map(n.group_labels).Key("commonLabels").Map(n.common_labels);
  json.Key("commonAnnotations").Map(n.common_annotations).Field("externalURL", n.external_url);
  json.Field("version", "4").Field("groupKey", n.group_key);
  json.Key("truncatedAlerts").Number(static_cast<std::int64_t>(truncated)).Close('}');
  return json.Take() + "\n";  // Go's encoder ends a value with a newline
}

class Webhook final : public Receiver {
 public:
  Webhook(const core::Options& options, const core::Options& global, core::ConfigErrors& errors)
      : url_(options.Secret("url")),
        max_alerts_(static_cast<std::size_t>(options.Int("max_alerts"))),
        timeout_(options.Duration("timeout")),
        http_(ReadHttpSettings(options, global, errors)) {
    CheckSecretUrl(options, "url", errors);
  }

  core::Task<NotifyOutcome> Notify(NotifyContext context,
                                   std::shared_ptr<const Notification> notification) const override {
    Notification shown = *notification;
    const std::size_t truncated =
        max_alerts_ > 0 && shown.alerts.size() > max_alerts_ ? shown.alerts.size() - max_alerts_ : 0;
    if (truncated > 0) {
      shown.alerts.resize(max_alerts_);
      SetCommon(shown);
    }
    FieldRenderer render(context, shown, "webhook");
    core::HttpRequest request = JsonRequest(render.Text(url_.Reveal()), Body(shown, truncated));
    if (render.failed()) co_return render.Failure();
    if (timeout_ > core::Duration::zero()) request.timeout = timeout_;
    NotifyOutcome outcome = co_await Post(context, http_, std::move(request), RetryCodes{});
    co_return outcome;
  }

 private:
  core::Secret url_;
  std::size_t max_alerts_;
  core::Duration timeout_;
  std::shared_ptr<const HttpSettings> http_;
};

std::unique_ptr<Receiver> Make(const core::Options& options, const core::Options& global, core::ConfigErrors& errors) {
  return std::make_unique<Webhook>(options, global, errors);
}

}  // namespace

const ReceiverKind kWebhookReceiver{.name = "webhook",
                                    .key = "webhook_configs",
                                    .help = "posts JSON to an address",
                                    .options = kOptions,
                                    .send_resolved = true,
                                    .make = Make};

}  // namespace pipewarden::alertmanager
