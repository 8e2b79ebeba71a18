// pagerduty: an event of the Events API v2 (routing_key) or v1 (service_key); a resolved group resolves its incident.
// Source: https://developer.pagerduty.com/docs/events-api-v2/trigger-events/. One request a notification. The incident
// is identified by the hash of the group key.
#include <map>

#include "alertmanager/field_renderer.h"
#include "alertmanager/go_json.h"
#include "alertmanager/http_settings.h"
#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr std::size_t kMaxSummaryRunes = 1024;
constexpr std::size_t kMaxEventBytes = 512000;
constexpr std::string_view kV1Url = "https://events.pagerduty.com/generic/2010-04-15/create_event.json";

constexpr core::Option kOptions[] = {
    {.name = "service_key", .type = OptionType::kSecret, .help = "integration key of Events API v1"},
    {.name = "routing_key", .type = OptionType::kSecret, .help = "integration key of Events API v2"},
    {.name = "url", .type = OptionType::kUrl, .help = "where events go (default: pagerduty_url of global)"},
    {.name = "client", .type = OptionType::kString, .default_text = "'{{ template \"pagerduty.default.client\" . }}'"},
    {.name = "client_url",
     .type = OptionType::kString,
     .default_text = "'{{ template \"pagerduty.default.clientURL\" . }}'"},
    {.name = "description",
     .type = OptionType::kString,
     .default_text = "'{{ template \"pagerduty.default.description\" .}}'"},
    {.name = "details", .type = OptionType::kStringMap, .help = "more details, or others than the usual four"},
    {.name = "images", .type = OptionType::kNode, .help = "list of {src, alt, href}"},
    {.name = "links", .type = OptionType::kNode, .help = "list of {href, text}"},
    {.name = "source", .type = OptionType::kString, .help = "where it happened (default: client)"},
    {.name = "severity", .type = OptionType::kString, .default_text = "error", .help = "critical error warning info"},
    {.name = "class", .type = OptionType::kString},
    {.name = "component", .type = OptionType::kString},
    {.name = "group", .type = OptionType::kString},
    {.name = "timeout", .type = OptionType::kDuration, .default_text = "0s", .help = "for one request; 0 is none"},
};
constexpr core::Option kImageOptions[] = {{.name = "src"}, {.name = "alt"}, {.name = "href"}};
constexpr core::Option kLinkOptions[] = {{.name = "href"}, {.name = "text"}};

using Triple = std::array<std::string, 3>;

class Pagerduty final : public Receiver {
 public:
  Pagerduty(const core::Options& options, const core::Options& global, core::ConfigErrors& errors)
      : http_(ReadHttpSettings(options, global, errors)),
        timeout_(options.Duration("timeout")),
        routing_key_(options.Secret("routing_key")),
        service_key_(options.Secret("service_key")),
        url_(options.Given("url") ? options.Text("url") : global.Text("pagerduty_url")),
        client_(options.Text("client")),
        client_url_(options.Text("client_url")),
        description_(options.Text("description")),
        source_(options.Text("source").empty() ? client_ : options.Text("source")),
        severity_(options.Text("severity")),
        class_(options.Text("class")),
        component_(options.Text("component")),
        group_(options.Text("group")) {
    if (!options.Given("routing_key") && !options.Given("service_key"))
      errors.Add(options.where(), "missing service or routing key in PagerDuty config");
    details_ = {{"firing", "{{ template \"pagerduty.default.instances\" .Alerts.Firing }}"},
                {"resolved", "{{ template \"pagerduty.default.instances\" .Alerts.Resolved }}"},
                {"num_firing", "{{ .Alerts.Firing | len }}"},
                {"num_resolved", "{{ .Alerts.Resolved | len }}"}};
    for (const auto& [name, value] : options.Map("details")) details_[name] = value;
    images_ = ReadList(options, "images", kImageOptions, errors);
    links_ = ReadList(options, "links", kLinkOptions, errors);
  }

  core::Task<NotifyOutcome> Notify(NotifyContext context,
                                   std::shared_ptr<const Notification> notification) const override {
    FieldRenderer render(context, *notification, "pagerduty");
    const bool v1 = routing_key_.empty();
    std::string body = v1 ? BodyV1(*notification, render, false) : BodyV2(*notification, render, false);
    if (body.size() > kMaxEventBytes)
      body = v1 ? BodyV1(*notification, render, true) : BodyV2(*notification, render, true);
    if (render.failed()) co_return render.Failure();
    core::HttpRequest request = JsonRequest(v1 ? std::string(kV1Url) : url_, std::move(body));
    if (timeout_ > core::Duration::zero()) request.timeout = timeout_;
    NotifyOutcome outcome = co_await Post(context, http_, std::move(request), RetryCodes{{v1 ? 403 : 429}});
    co_return outcome;
  }

 private:
  static std::vector<Triple> ReadList(const core::Options& options, std::string_view key, core::OptionTable table,
                                      core::ConfigErrors& errors) {
    std::vector<Triple> list;
    const core::YamlNode* node = options.Node(key);
    if (node == nullptr) return list;
    for (const core::YamlNode& item : node->items()) {
      const core::Options read = core::ReadOptions(item, table, std::string(key) + " of pagerduty_configs", errors);
      Triple texts;
      for (std::size_t i = 0; i < table.size(); ++i) texts[i] = read.Text(table[i].name);
      list.push_back(std::move(texts));
    }
    return list;
  }

  void Details(GoJson& json, FieldRenderer& render, bool dropped) const {
    json.Open('{');
    if (dropped) {
      json.Field("error",
                 "Custom details have been removed because the original event exceeds the maximum size of 512KB");
    } else {
      for (const auto& [name, value] : details_) json.Field(name, render.Text(value));
    }
    json.Close('}');
  }

  std::string BodyV1(const Notification& n, FieldRenderer& render, bool dropped) const {
    GoJson json;
    json.Open('{').Field("service_key", render.Text(service_key_.Reveal())).Field("incident_key", n.DedupKey());
    json.Field("event_type", n.resolved() ? "resolve" : "trigger");
    json.FieldOrOmit("description", TruncateRunes(render.Text(description_), kMaxSummaryRunes));
    json.Field("event_action", "").Key("payload").Null();
    if (!n.resolved()) {
      json.FieldOrOmit("client", render.Text(client_)).FieldOrOmit("client_url", render.Text(client_url_));
    }
    json.Key("details");
    Details(json, render, dropped);
    json.Close('}');
    return json.Take() + "\n";
  }

  std::string BodyV2(const Notification& n, FieldRenderer& render, bool dropped) const {
    GoJson json;
    json.Open('{').FieldOrOmit("routing_key", render.Text(routing_key_.Reveal())).Field("dedup_key", n.DedupKey());
    json.Field("event_action", n.resolved() ? "resolve" : "trigger").Key("payload").Open('{');
    json.Field("summary", TruncateRunes(render.Text(description_), kMaxSummaryRunes));
    json.Field("source", render.Text(source_)).Field("severity", render.Text(severity_));
    json.FieldOrOmit("class", render.Text(class_)).FieldOrOmit("component", render.Text(component_));
    json.FieldOrOmit("group", render.Text(group_)).Key("custom_details");
    Details(json, render, dropped);
    json.Close('}').FieldOrOmit("client", render.Text(client_)).FieldOrOmit("client_url", render.Text(client_url_));
    List(json, render, "images", images_, {"src", "alt", "href"});
    List(json, render, "links", links_, {"href", "text"});
    json.Close('}');
    return json.Take() + "\n";
  }

  static void List(GoJson& json, FieldRenderer& render, std::string_view key, const std::vector<Triple>& list,
                   const std::vector<std::string_view>& names) {
    bool any = false;
    for (const Triple& item : list) {
      const std::string first = render.Text(item[0]);
      if (first.empty()) continue;  // a picture without address, a link without target
      if (!any) json.Key(key).Open('[');
      any = true;
      json.Open('{').Field(names[0], first);
      for (std::size_t i = 1; i < names.size(); ++i) json.Field(names[i], render.Text(item[i]));
      json.Close('}');
    }
    if (any) json.Close(']');
  }

  std::shared_ptr<const HttpSettings> http_;
  core::Duration timeout_;
  core::Secret routing_key_, service_key_;
  std::string url_, client_, client_url_, description_, source_, severity_, class_, component_, group_;
  std::map<std::string, std::string> details_;  // sorted, as Go writes maps
  std::vector<Triple> images_, links_;
};

std::unique_ptr<Receiver> Make(const core::Options& options, const core::Options& global, core::ConfigErrors& errors) {
  return std::make_unique<Pagerduty>(options, global, errors);
}

}  // namespace

const ReceiverKind kPagerdutyReceiver{.name = "pagerduty",
                                      .key = "pagerduty_configs",
                                      .help = "opens and resolves incidents",
                                      .options = kOptions,
                                      .send_resolved = true,
                                      .make = Make};

}  // namespace pipewarden::alertmanager
