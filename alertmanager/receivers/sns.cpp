// sns: publishes to Amazon SNS.
// Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html. One request a notification, signed with static
// keys (of the file, or of the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN).
#include <algorithm>
#include <cstdlib>

#include "alertmanager/aws_signature.h"
#include "alertmanager/field_renderer.h"
#include "alertmanager/http_settings.h"
#include "alertmanager/receivers/list.h"
#include "core/text/url.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "api_url", .type = OptionType::kString},
    {.name = "sigv4", .type = OptionType::kNode},
    {.name = "topic_arn", .type = OptionType::kString},
    {.name = "phone_number", .type = OptionType::kString},
    {.name = "target_arn", .type = OptionType::kString},
    {.name = "subject", .type = OptionType::kString, .default_text = "'{{ template \"sns.default.subject\" . }}'"},
    {.name = "message", .type = OptionType::kString, .default_text = "'{{ template \"sns.default.message\" . }}'"},
    {.name = "attributes", .type = OptionType::kStringMap},
};

constexpr std::size_t kMaxMessageBytes = 256 * 1024;
constexpr std::size_t kMaxPhoneRunes = 1600;

constexpr core::Option kSigv4Options[] = {
    {.name = "region", .type = OptionType::kString, .help = "region (default: the topic's, AWS_REGION)"},
    {.name = "access_key", .type = OptionType::kString, .help = "key's id"},
    {.name = "secret_key", .type = OptionType::kSecret, .help = "key"},
    {.name = "profile", .type = OptionType::kString, .help = "not supported yet"},
    {.name = "role_arn", .type = OptionType::kString, .help = "not supported yet"},
    {.name = "external_id", .type = OptionType::kString, .help = "not supported yet"},
    {.name = "use_fips_sts_endpoint", .type = OptionType::kBool, .default_text = "false"},
};

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// arn:aws:sns:us-east-2:123456789012:My-Topic -> us-east-2
std::string RegionOf(const std::string& arn) {
  std::size_t start = 0;
  for (int colons = 0; colons < 3; ++colons) {
    start = arn.find(':', start);
    if (start == std::string::npos) return "";
    ++start;
  }
  return arn.substr(start, arn.find(':', start) - start);
}

class Sns final : public Receiver {
 public:
  Sns(const core::Options& options, const core::Options& global, core::ConfigErrors& errors)
      : http_(ReadHttpSettings(options, global, errors)),
        url_(options.Text("api_url")),
        topic_arn_(options.Text("topic_arn")),
        phone_number_(options.Text("phone_number")),
        target_arn_(options.Text("target_arn")),
        subject_(options.Text("subject")),
        message_(options.Text("message")),
        attributes_(options.Map("attributes")) {
    const int targets = (topic_arn_.empty() ? 0 : 1) + (phone_number_.empty() ? 0 : 1) + (target_arn_.empty() ? 0 : 1);
    if (targets != 1 && targets != 3)  // as odd as Alertmanager
      errors.Add(options.where(), "must provide either a target_arn, a topic_arn or a phone_number in sns_configs");
    const core::YamlNode none;
    const core::YamlNode* node = options.Node("sigv4");
    const core::Options sigv4 = core::ReadOptions(node == nullptr ? none : *node, kSigv4Options, "sigv4", errors);
    for (const std::string_view key : {"profile", "role_arn", "external_id"})
      if (sigv4.Given(key))
        errors.Add(sigv4.Where(key),
                   "'" + std::string(key) + "' in sigv4 is not supported yet: use access_key and secret_key");
    if (sigv4.Given("access_key") != sigv4.Given("secret_key"))
      errors.Add(node == nullptr ? options.where() : node->where(),
                 "access_key and secret_key belong together in sigv4");
    credentials_ = {sigv4.Text("access_key"), sigv4.Secret("secret_key"), {}};
    if (credentials_.access_key.empty())
      credentials_ = {Environment("AWS_ACCESS_KEY_ID"), core::Secret(Environment("AWS_SECRET_ACCESS_KEY")),
                      core::Secret(Environment("AWS_SESSION_TOKEN"))};
    if (credentials_.access_key.empty() || credentials_.secret_key.empty())
      errors.Add(options.where(),
                 "no keys for sns_configs: set access_key and secret_key in sigv4, or AWS_ACCESS_KEY_ID and "
                 "AWS_SECRET_ACCESS_KEY in the environment");
    region_ = sigv4.Text("region");
    if (region_.empty()) region_ = RegionOf(topic_arn_.empty() ? target_arn_ : topic_arn_);
    if (region_.empty()) region_ = Environment("AWS_REGION");
    if (region_.empty()) errors.Add(options.where(), "no region for sns_configs: set 'region' in sigv4");
    if (url_.empty()) url_ = "https://sns." + region_ + ".amazonaws.com/";
    if (!IsHttpUrl(url_)) errors.Add(options.Where("api_url"), "'api_url' must be an http:// or https:// address");
  }

  core::Task<NotifyOutcome> Notify(NotifyContext context,
                                   std::shared_ptr<const Notification> notification) const override {
    FieldRenderer render(context, *notification, "sns");
    AwsRequest aws;
    aws.body = Form(*notification, render);
    if (render.failed()) co_return render.Failure();
    const std::size_t host = url_.find("://") + 3;
    const std::size_t slash = url_.find('/', host);
    aws.headers["host"] = url_.substr(host, slash - host);
    aws.headers["content-type"] = "application/x-www-form-urlencoded; charset=utf-8";
    aws.path = slash == std::string::npos ? "/" : url_.substr(slash);
    const std::string authorization = SignAwsRequest(aws, credentials_, region_, "sns", context.loop->clock().Now());
    core::HttpRequest request;
    request.method = "POST";
    request.url = url_;
    for (const auto& [name, value] : aws.headers)
      if (name != "host") request.headers.emplace_back(name, value);
    request.headers.emplace_back("Authorization", authorization);
    request.body = std::move(aws.body);
    NotifyOutcome outcome = co_await Post(context, http_, std::move(request), RetryCodes{{429}});
    co_return outcome;
  }

 private:
  std::string Form(const Notification& n, FieldRenderer& render) const {
    std::string form = "Action=Publish&Version=2010-03-31";
    const auto add = [&](const std::string& name, const std::string& value) {
      if (!value.empty()) form += "&" + name + "=" + core::UrlEscape(value);
    };
    add("TopicArn", render.Text(topic_arn_));
    add("TargetArn", render.Text(target_arn_));
    add("PhoneNumber", render.Text(phone_number_));
    add("Subject", render.Text(subject_));
    const std::string whole = render.Text(message_);
    const std::string message =
        phone_number_.empty() ? TruncateBytes(whole, kMaxMessageBytes) : TruncateRunes(whole, kMaxPhoneRunes);
    add("Message", message);
    if (topic_arn_.ends_with(".fifo")) {
      add("MessageGroupId", n.DedupKey());
      add("MessageDeduplicationId", n.DedupKey());
    }
    auto attributes = attributes_;
    if (message != whole) attributes.emplace_back("truncated", "true");
    int index = 0;
    for (const auto& [name, value] : attributes) {
      const std::string entry = "MessageAttributes.entry." + std::to_string(++index) + ".";
      add(entry + "Name", render.Text(name));
      add(entry + "Value.DataType", "String");
      add(entry + "Value.StringValue", render.Text(value));
    }
    return form;
  }

  std::shared_ptr<const HttpSettings> http_;
  std::string url_, topic_arn_, phone_number_, target_arn_, subject_, message_;
  std::vector<std::pair<std::string, std::string>> attributes_;
  AwsCredentials credentials_;
  std::string region_;
};

std::unique_ptr<Receiver> Make(const core::Options& options, const core::Options& global, core::ConfigErrors& errors) {
  return std::make_unique<Sns>(options, global, errors);
}

}  // namespace

const ReceiverKind kSnsReceiver{.name = "sns",
                                .key = "sns_configs",
                                .help = "publishes to Amazon SNS",
                                .options = kOptions,
                                .send_resolved = true,
                                .make = Make};

}  // namespace pipewarden::alertmanager
