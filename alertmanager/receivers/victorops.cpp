// victorops: opens and resolves incidents at VictorOps (Splunk On-Call).
// Source: https://help.splunk.com/en/splunk-on-call, REST endpoint. One request a notification.
#include <algorithm>

#include "alertmanager/field_renderer.h"
#include "alertmanager/go_json.h"
#include "alertmanager/http_settings.h"
#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "api_key", .type = OptionType::kSecret},
    {.name = "api_url", .type = OptionType::kUrl},
    {.name = "routing_key", .type = OptionType::kString, .required = true, .help = "routing key"},
    {.name = "message_type", .type = OptionType::kString, .default_text = "CRITICAL"},
    {.name = "state_message",
     .type = OptionType::kString,
     .default_text = "'{{ template \"victorops.default.state_message\" . }}'"},
    {.name = "entity_display_name",
     .type = OptionType::kString,
     .default_text = "'{{ template \"victorops.default.entity_display_name\" . }}'"},
    {.name = "monitoring_tool",
     .type = OptionType::kString,
     .default_text = "'{{ template \"victorops.default.monitoring_tool\" . }}'"},
    {.name = "custom_fields", .type = OptionType::kStringMap},
};

constexpr std::size_t kMaxStateRunes = 20480;

class Victorops final : public Receiver {
 public:
  Victorops(const core::Options& options, const core::Options& global, core::ConfigErrors& errors)
      : http_(ReadHttpSettings(options, global, errors)),
        api_key_(options.Given("api_key") ? options.Secret("api_key") : global.Secret("victorops_api_key")),
        api_url_(options.Given("api_url") ? options.Text("api_url") : global.Text("victorops_api_url")),
        routing_key_(options.Text("routing_key")),
        message_type_(options.Text("message_type")),
        state_message_(options.Text("state_message")),
        display_name_(options.Text("entity_display_name")),
        tool_(options.Text("monitoring_tool")),
        custom_(options.Map("custom_fields")) {
    if (!api_url_.ends_with('/')) api_url_ += '/';
    if (api_key_.empty())
      errors.Add(options.where(),
                 "no VictorOps key: set 'api_key' here or 'victorops_api_key' in global (or their _file)");
    static constexpr std::string_view kReserved[] = {"routing_key",         "message_type",    "state_message",
                                                     "entity_display_name", "monitoring_tool", "entity_id",
                                                     "entity_state"};
    for (const auto& [name, value] : custom_)
      if (std::ranges::find(kReserved, name) != std::end(kReserved))
        errors.Add(options.Where("custom_fields"), "'" + name + "' in custom_fields is a field of VictorOps itself");
  }

  core::Task<NotifyOutcome> Notify(NotifyContext context,
                                   std::shared_ptr<const Notification> notification) const override {
    FieldRenderer render(context, *notification, "victorops");
    const std::string wanted = render.Text(message_type_);
    std::string type = wanted == "INFO" || wanted == "WARNING" ? wanted : "CRITICAL";
    if (notification->resolved()) type = "RECOVERY";
    core::Labels fields;  // a sorted map, as Go writes it
    for (const auto& [name, value] : custom_) fields.Set(name, render.Text(value));
    fields.Set("message_type", type);
    fields.Set("entity_id", notification->DedupKey());
    fields.Set("entity_display_name", render.Text(display_name_));
    fields.Set("state_message", TruncateRunes(render.Text(state_message_), kMaxStateRunes));
    fields.Set("monitoring_tool", render.Text(tool_));
    const std::string url = api_url_ + render.Text(api_key_.Reveal()) + "/" + render.Text(routing_key_);
    if (render.failed()) co_return render.Failure();
    NotifyOutcome outcome =
        co_await Post(context, http_, JsonRequest(url, GoJson().Map(fields).Take() + "\n"), RetryCodes{});
    co_return outcome;
  }

 private:
  std::shared_ptr<const HttpSettings> http_;
  core::Secret api_key_;
  std::string api_url_, routing_key_, message_type_, state_message_, display_name_, tool_;
  std::vector<std::pair<std::string, std::string>> custom_;
};

std::unique_ptr<Receiver> Make(const core::Options& options, const core::Options& global, core::ConfigErrors& errors) {
  return std::make_unique<Victorops>(options, global, errors);
}

}  // namespace

const ReceiverKind kVictoropsReceiver{.name = "victorops",
                                      .key = "victorops_configs",
                                      .help = "opens and resolves incidents at VictorOps (Splunk On-Call)",
                                      .options = kOptions,
                                      .send_resolved = true,
                                      .make = Make};

}  // namespace pipewarden::alertmanager
