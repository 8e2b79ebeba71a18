// webex: writes to a Webex room.
// Source: https://developer.webex.com/docs/api/v1/messages/create-a-message. One request a notification.
#include "alertmanager/field_renderer.h"
#include "alertmanager/go_json.h"
#include "alertmanager/http_settings.h"
#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "api_url", .type = OptionType::kUrl},
    {.name = "message", .type = OptionType::kString, .default_text = "'{{ template \"webex.default.message\" . }}'"},
    {.name = "room_id", .type = OptionType::kString, .required = true, .help = "the room"},
};

constexpr std::size_t kMaxMessageBytes = 7439;

class Webex final : public Receiver {
 public:
  Webex(const core::Options& options, const core::Options& global, core::ConfigErrors& errors)
      : http_(ReadHttpSettings(options, global, errors)),
        url_(options.Given("api_url") ? options.Text("api_url") : global.Text("webex_api_url")),
        message_(options.Text("message")),
        room_id_(options.Text("room_id")) {
    if (http_->authorization_type.empty())
      errors.Add(options.where(), "missing http_config.authorization in webex_configs: the bot's token goes there");
  }

  core::Task<NotifyOutcome> Notify(NotifyContext context,
                                   std::shared_ptr<const Notification> notification) const override {
    FieldRenderer render(context, *notification, "webex");
    GoJson json;
    json.Open('{').Field("markdown", TruncateBytes(render.Text(message_), kMaxMessageBytes));
    json.FieldOrOmit("roomId", render.Text(room_id_)).Close('}');
    if (render.failed()) co_return render.Failure();
    NotifyOutcome outcome = co_await Post(context, http_, JsonRequest(url_, json.Take() + "\n"), RetryCodes{{429}});
    co_return outcome;
  }

 private:
  std::shared_ptr<const HttpSettings> http_;
  std::string url_, message_, room_id_;
};

std::unique_ptr<Receiver> Make(const core::Options& options, const core::Options& global, core::ConfigErrors& errors) {
  return std::make_unique<Webex>(options, global, errors);
}

}  // namespace

const ReceiverKind kWebexReceiver{.name = "webex",
                                  .key = "webex_configs",
                                  .help = "writes to a Webex room",
                                  .options = kOptions,
                                  .send_resolved = true,
                                  .make = Make};

}  // namespace pipewarden::alertmanager
