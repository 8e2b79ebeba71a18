// pushover: notifies by Pushover.
// Source: https://pushover.net/api. One request a notification; the keys travel in its body, not in the address.
#include "alertmanager/field_renderer.h"
#include "alertmanager/http_settings.h"
#include "alertmanager/receivers/list.h"
#include "core/text/url.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "user_key", .type = OptionType::kSecret, .required = true, .help = "user or group key"},
    {.name = "token", .type = OptionType::kSecret, .required = true, .help = "application token"},
    {.name = "title", .type = OptionType::kString, .default_text = "'{{ template \"pushover.default.title\" . }}'"},
    {.name = "message", .type = OptionType::kString, .default_text = "'{{ template \"pushover.default.message\" . }}'"},
    {.name = "url", .type = OptionType::kString, .default_text = "'{{ template \"pushover.default.url\" . }}'"},
    {.name = "url_title", .type = OptionType::kString},
    {.name = "device", .type = OptionType::kString},
    {.name = "sound", .type = OptionType::kString},
    {.name = "priority",
     .type = OptionType::kString,
     .default_text = "'{{ if eq .Status \"firing\" }}2{{ else }}0{{ end }}'"},
    {.name = "retry", .type = OptionType::kDuration, .default_text = "1m"},
    {.name = "expire", .type = OptionType::kDuration, .default_text = "1h"},
    {.name = "ttl", .type = OptionType::kDuration, .default_text = "0s"},
    {.name = "html", .type = OptionType::kBool, .default_text = "false"},
    {.name = "monospace", .type = OptionType::kBool, .default_text = "false"},
};

constexpr std::string_view kUrl = "https://api.pushover.net/1/messages.json";

class Pushover final : public Receiver {
 public:
  Pushover(const core::Options& options, const core::Options& global, core::ConfigErrors& errors)
      : http_(ReadHttpSettings(options, global, errors)),
        user_key_(options.Secret("user_key")),
        token_(options.Secret("token")),
        title_(options.Text("title")),
        message_(options.Text("message")),
        url_(options.Text("url")),
        url_title_(options.Text("url_title")),
        device_(options.Text("device")),
        sound_(options.Text("sound")),
        priority_(options.Text("priority")),
        retry_(options.Duration("retry")),
        expire_(options.Duration("expire")),
        ttl_(options.Duration("ttl")),
        html_(options.Bool("html")),
        monospace_(options.Bool("monospace")) {
    if (html_ && monospace_)
      errors.Add(options.where(), "at most one of 'monospace' and 'html' may be set in pushover_configs");
  }

  core::Task<NotifyOutcome> Notify(NotifyContext context,
                                   std::shared_ptr<const Notification> notification) const override {
    FieldRenderer render(context, *notification, "pushover");
    std::string form;
    const auto add = [&](std::string_view name, const std::string& value) {
      form += (form.empty() ? "" : "&") + std::string(name) + "=" + core::UrlEscape(value);
    };
    const auto seconds = [](core::Duration d) {
      return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(d).count());
    };
    add("token", render.Text(token_.Reveal()));
    add("user", render.Text(user_key_.Reveal()));
    add("title", TruncateRunes(render.Text(title_), 250));
    if (html_) add("html", "1");
    if (monospace_) add("monospace", "1");
    std::string message = TruncateRunes(html_ ? render.Html(message_) : render.Text(message_), 1024);
    if (message.find_first_not_of(" \t\r\n") == std::string::npos) message = "(no details)";
    add("message", message);
    if (const std::string url = render.Text(url_); !url.empty()) add("url", TruncateRunes(url, 512));
    if (const std::string title = render.Text(url_title_); !title.empty()) add("url_title", title);
    if (const std::string device = render.Text(device_); !device.empty()) add("device", device);
    if (const std::string sound = render.Text(sound_); !sound.empty()) add("sound", sound);
    add("priority", render.Text(priority_));
    add("retry", seconds(retry_));
    add("expire", seconds(expire_));
    if (ttl_ > core::Duration::zero()) add("ttl", seconds(ttl_));
    if (render.failed()) co_return render.Failure();
    core::HttpRequest request;
    request.method = "POST";
    request.url = kUrl;
    request.body = std::move(form);
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    NotifyOutcome outcome = co_await Post(context, http_, std::move(request), RetryCodes{{429}});
    co_return outcome;
  }

 private:
  std::shared_ptr<const HttpSettings> http_;
  core::Secret user_key_, token_;
  std::string title_, message_, url_, url_title_, device_, sound_, priority_;
  core::Duration retry_, expire_, ttl_;
  bool html_, monospace_;
};

std::unique_ptr<Receiver> Make(const core::Options& options, const core::Options& global, core::ConfigErrors& errors) {
  return std::make_unique<Pushover>(options, global, errors);
}

}  // namespace

const ReceiverKind kPushoverReceiver{.name = "pushover",
                                     .key = "pushover_configs",
                                     .help = "notifies by Pushover",
                                     .options = kOptions,
                                     .send_resolved = true,
                                     .make = Make};

}  // namespace pipewarden::alertmanager
