// msteamsv2: writes to Microsoft Teams by a workflow.
// Source: https://learn.microsoft.com/en-us/adaptive-cards/. One adaptive card a notification.
#include "alertmanager/field_renderer.h"
#include "alertmanager/go_json.h"
#include "alertmanager/http_settings.h"
#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "webhook_url", .type = OptionType::kSecret, .required = true, .help = "the workflow's address"},
    {.name = "title", .type = OptionType::kString, .default_text = "'{{ template \"msteamsv2.default.title\" . }}'"},
    {.name = "text", .type = OptionType::kString, .default_text = "'{{ template \"msteamsv2.default.text\" . }}'"},
};

class Msteamsv2 final : public Receiver {
 public:
  Msteamsv2(const core::Options& options, const core::Options& global, core::ConfigErrors& errors)
      : http_(ReadHttpSettings(options, global, errors)),
        url_(options.Secret("webhook_url")),
        title_(options.Text("title")),
        text_(options.Text("text")) {
    CheckSecretUrl(options, "webhook_url", errors);
  }

  core::Task<NotifyOutcome> Notify(NotifyContext context,
                                   std::shared_ptr<const Notification> notification) const override {
    FieldRenderer render(context, *notification, "msteamsv2");
    GoJson json;
    json.Open('{').Field("type", "message").Key("attachments").Open('[').Open('{');
    json.Field("contentType", "application/vnd.microsoft.card.adaptive").Key("contentUrl").Null();
    json.Key("content").Open('{').Field("$schema", "http://adaptivecards.io/schemas/adaptive-card.json");
    json.Field("type", "AdaptiveCard").Field("version", "1.4").Key("body").Open('[');
    json.Open('{').Field("type", "TextBlock").Field("text", render.Text(title_)).Field("weight", "Bolder");
    json.Field("size", "Medium").Key("wrap").Bool(true).Field("style", "heading");
    json.Field("color", notification->resolved() ? "Good" : "Attention").Close('}');
    json.Open('{').Field("type", "TextBlock").Field("text", render.Text(text_)).Key("wrap").Bool(true).Close('}');
    json.Close(']').Key("msteams").Open('{').Field("width", "full").Close('}');
    json.Close('}').Close('}').Close(']').Close('}');
    core::HttpRequest request = JsonRequest(render.Text(url_.Reveal()), json.Take() + "\n");
    if (render.failed()) co_return render.Failure();
    NotifyOutcome outcome = co_await Post(context, http_, std::move(request), RetryCodes{{429}});
    co_return outcome;
  }

 private:
  std::shared_ptr<const HttpSettings> http_;
  core::Secret url_;
  std::string title_, text_;
};

std::unique_ptr<Receiver> Make(const core::Options& options, const core::Options& global, core::ConfigErrors& errors) {
  return std::make_unique<Msteamsv2>(options, global, errors);
}

}  // namespace

const ReceiverKind kMsteamsv2Receiver{.name = "msteamsv2",
                                      .key = "msteamsv2_configs",
                                      .help = "writes to Microsoft Teams by a workflow",
                                      .options = kOptions,
                                      .send_resolved = true,
                                      .make = Make};

}  // namespace pipewarden::alertmanager
