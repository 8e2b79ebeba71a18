// email: a mail with a text and an HTML part, through libcurl's SMTP on the loop: STARTTLS (required unless told
// otherwise) or TLS from the first byte (port 465), AUTH by whatever the server offers that fits what is configured.
// Source: https://prometheus.io/docs/alerting/latest/configuration/#email_config, RFC 5321, 3207, 4954. One connection
// a notification. Everything is retried but a bad address and a bad template.
#include <curl/curl.h>

#include <unistd.h>
#include <cstring>
#include <map>
#include <random>

#include "alertmanager/field_renderer.h"
#include "alertmanager/http_settings.h"
#include "alertmanager/mail_message.h"
#include "alertmanager/receivers/list.h"
#include "core/time/civil_time.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "to", .type = OptionType::kString, .required = true, .help = "addresses, comma separated"},
    {.name = "from", .type = OptionType::kString, .help = "sender (default: smtp_from of global)"},
    {.name = "hello", .type = OptionType::kString, .help = "name for EHLO"},
    {.name = "smarthost", .type = OptionType::kString, .help = "host:port of the mail server"},
    {.name = "auth_username", .type = OptionType::kString, .help = "user"},
    {.name = "auth_password", .type = OptionType::kSecret, .help = "password (PLAIN, LOGIN)"},
    {.name = "auth_secret", .type = OptionType::kSecret, .help = "secret (CRAM-MD5)"},
    {.name = "auth_identity", .type = OptionType::kString, .help = "identity (PLAIN)"},
    {.name = "headers", .type = OptionType::kStringMap, .help = "more headers, or others than Subject, To, From"},
    {.name = "html",
     .type = OptionType::kString,
     .default_text = "'{{ template \"email.default.html\" . }}'",
     .help = "HTML part; empty for none"},
    {.name = "text", .type = OptionType::kString, .help = "text part"},
    {.name = "require_tls", .type = OptionType::kBool, .help = "refuse to send without TLS"},
    {.name = "force_implicit_tls", .type = OptionType::kBool, .help = "TLS from the first byte (as port 465)"},
    {.name = "tls_config", .type = OptionType::kNode, .help = "TLS"},
    {.name = "threading", .type = OptionType::kNode, .help = "not supported yet"},
};

// textproto.CanonicalMIMEHeaderKey: message-id becomes Message-Id.
std::string CanonicalHeader(std::string_view name) {
  std::string out;
  bool start = true;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    out += static_cast<char>(start ? std::toupper(byte) : std::tolower(byte));
    start = c == '-';
  }
  return out;
}

bool IsHeaderName(std::string_view name) {
  for (const char c : name)
    if (c <= ' ' || c >= 0x7F || c == ':') return false;
  return !name.empty();
}

std::string RandomHex(std::size_t bytes) {
  std::random_device random;
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < bytes; ++i) {
    const unsigned byte = random();
    out += kHex[(byte >> 4U) & 0xFU];
    out += kHex[byte & 0xFU];
  }
  return out;
}

std::string HostName() {
  char name[256] = "localhost";
  ::gethostname(name, sizeof name - 1);
  return name;
}

struct Upload {
  std::string_view rest;
};

std::size_t ReadUpload(char* out, std::size_t size, std::size_t count, void* context) {
  auto& upload = *static_cast<Upload*>(context);
  const std::size_t n = std::min(size * count, upload.rest.size());
  std::memcpy(out, upload.rest.data(), n);
  upload.rest.remove_prefix(n);
  return n;
}

struct Envelope {
  std::string from;
  std::vector<std::string> to;
};

class Email final : public Receiver {
 public:
  Email(const core::Options& options, const core::Options& global, core::ConfigErrors& errors) {
    const auto either = [&](std::string_view own, std::string_view inherited) {
      return options.Given(own) && !options.Text(own).empty() ? options.Text(own) : global.Text(inherited);
    };
    to_ = options.Text("to");
    from_ = either("from", "smtp_from");
    hello_ = either("hello", "smtp_hello");
    smarthost_ = either("smarthost", "smtp_smarthost");
    username_ = either("auth_username", "smtp_auth_username");
    identity_ = either("auth_identity", "smtp_auth_identity");
    password_ = options.Given("auth_password") ? options.Secret("auth_password") : global.Secret("smtp_auth_password");
    secret_ = options.Given("auth_secret") ? options.Secret("auth_secret") : global.Secret("smtp_auth_secret");
    require_tls_ = options.Given("require_tls") ? options.Bool("require_tls") : global.Bool("smtp_require_tls");
    implicit_tls_ = smarthost_.ends_with(":465");
    if (global.Given("smtp_force_implicit_tls")) implicit_tls_ = global.Bool("smtp_force_implicit_tls");
    if (options.Given("force_implicit_tls")) implicit_tls_ = options.Bool("force_implicit_tls");
    const core::YamlNode* tls = options.Node("tls_config");
    if (tls == nullptr) tls = global.Node("smtp_tls_config");
    if (tls != nullptr) tls_ = ReadTlsOptions(*tls, errors);
    html_ = options.Text("html");
    text_ = options.Text("text");
    Check(options, errors);
    ReadHeaders(options, errors);
  }

  core::Task<NotifyOutcome> Notify(NotifyContext context,
                                   std::shared_ptr<const Notification> notification) const override {
    FieldRenderer render(context, *notification, "email");
    Envelope envelope;
    core::Result<std::string> message = Message(*context.loop, render, envelope);
    if (render.failed()) co_return render.Failure();
    if (!message) co_return GiveUp("email: " + message.error().message);

    struct Free {
      void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
      void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    };
    const std::unique_ptr<CURL, Free> handle(curl_easy_init());
    if (handle == nullptr) co_return TryAgain("email: no memory for a connection");
    curl_slist* list = nullptr;
    for (const std::string& to : envelope.to) list = curl_slist_append(list, ("<" + to + ">").c_str());
    const std::unique_ptr<curl_slist, Free> recipients(list);
    const std::unique_ptr<curl_slist, Free> way(curl_slist_append(nullptr, ("::" + smarthost_).c_str()));
    Upload upload{*message};
    Prepare(handle.get(), recipients.get(), way.get(), "<" + envelope.from + ">", upload, message->size());
    const core::Result<void> done = co_await context.http->Perform(handle.get(), context.time_left);
    if (done) co_return Sent();
    long code = 0;
    curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &code);
    std::string told = "email through " + smarthost_ + ": " + done.error().message;
    if (code >= 400) told += " (the server answered " + std::to_string(code) + ")";
    co_return TryAgain(std::move(told));
  }

 private:
  void Check(const core::Options& options, core::ConfigErrors& errors) const {
    if (options.Node("http_config") != nullptr)
      errors.Add(options.Where("http_config"), "'http_config' has no meaning in email_configs: remove it");
    if (options.Node("threading") != nullptr)
      errors.Add(options.Where("threading"), "'threading' in email_configs is not supported yet: remove it");
    if (options.Given("to") && to_.empty()) errors.Add(options.Where("to"), "missing to address in email config");
    if (smarthost_.empty())
      errors.Add(options.where(), "no mail server: set 'smarthost' here or 'smtp_smarthost' in global (host:port)");
    else if (const std::size_t colon = smarthost_.rfind(':');
             colon == std::string::npos || colon == 0 || colon + 1 == smarthost_.size())
      errors.Add(options.Where("smarthost"), "mail server '" + smarthost_ + "' must be host:port");
    if (from_.empty()) errors.Add(options.where(), "no sender: set 'from' here or 'smtp_from' in global");
    if (to_.find("{{") == std::string::npos && !to_.empty())
      if (auto list = ParseAddressList(to_); !list) errors.Add(options.Where("to"), list.error().message);
    if (from_.find("{{") == std::string::npos && !from_.empty())
      if (auto list = ParseAddressList(from_); !list) errors.Add(options.Where("from"), list.error().message);
  }

  void ReadHeaders(const core::Options& options, core::ConfigErrors& errors) {
    std::map<std::string, std::string> headers;
    for (const auto& [name, value] : options.Map("headers")) {
      const std::string canonical = CanonicalHeader(name);
      if (!IsHeaderName(name)) errors.Add(options.Where("headers"), "'" + name + "' is no name of a mail header");
      if (!headers.emplace(canonical, value).second)
        errors.Add(options.Where("headers"), "duplicate header '" + canonical + "' in email config");
    }
    const auto take = [&](const std::string& name, const std::string& standard) {
      const auto given = headers.extract(name);
      headers_.emplace_back(name, given.empty() ? standard : given.mapped());
    };
    take("Subject", "{{ template \"email.default.subject\" . }}");
    take("To", to_);
    take("From", from_);
    for (auto& [name, value] : headers) headers_.emplace_back(name, value);
  }

  core::Result<std::string> Message(core::Loop& loop, FieldRenderer& render, Envelope& envelope) const {
    MailMessage mail;
    bool has_id = false;
    for (const auto& [name, value] : headers_) {
      mail.headers.emplace_back(name, render.Text(value));
      has_id |= name == "Message-Id";
    }
    mail.text = render.Text(text_);
    mail.html = render.Html(html_);
    const std::string to = render.Text(to_);
    const std::string from = render.Text(from_);
    if (render.failed()) return std::string();
    const auto senders = ParseAddressList(from);
    if (!senders) return core::Fail(senders.error().Within("from"));
    if (senders->size() != 1)
      return core::Fail(core::ErrorCode::kInvalid,
                        "from: expected one address, found " + std::to_string(senders->size()));
    const auto recipients = ParseAddressList(to);
    if (!recipients) return core::Fail(recipients.error().Within("to"));
    envelope.from = senders->front().address;
    for (const MailAddress& recipient : *recipients) envelope.to.push_back(recipient.address);
    const core::WallTime now = loop.clock().Now();
    if (!has_id)
      mail.headers.emplace_back("Message-Id", "<" + std::to_string(now.time_since_epoch().count()) + "." +
                                                  std::to_string(std::random_device{}()) + "@" + HostName() + ">");
    mail.headers.emplace_back("Date",
                              core::FormatGoTime(core::ZonedTime::From(now), "Mon, 02 Jan 2006 15:04:05 -0700"));
    mail.boundary = RandomHex(30);
    return RenderMail(mail);
  }

  void Prepare(CURL* handle, curl_slist* recipients, curl_slist* way, const std::string& from, Upload& upload,
               std::size_t size) const {
    std::string host = smarthost_;
    if (!tls_.server_name.empty()) {
      // The certificate is asked for by the URL's host; the connection goes to the smarthost still.
      host = tls_.server_name + smarthost_.substr(smarthost_.rfind(':'));
      curl_easy_setopt(handle, CURLOPT_CONNECT_TO, way);
    }
    const std::string url = (implicit_tls_ ? "smtps://" : "smtp://") + host + "/" + hello_;
    curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_MAIL_FROM, from.c_str());
    curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, recipients);
    curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, ReadUpload);
    curl_easy_setopt(handle, CURLOPT_READDATA, &upload);
    curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(size));
    curl_easy_setopt(handle, CURLOPT_USE_SSL, static_cast<long>(require_tls_ ? CURLUSESSL_ALL : CURLUSESSL_NONE));
    core::SetTlsOptions(handle, tls_);
    if (username_.empty()) return;
    // A password is for PLAIN and LOGIN, a secret for CRAM-MD5, as in Alertmanager.
    curl_easy_setopt(handle, CURLOPT_USERNAME, username_.c_str());
    const bool cram = password_.empty() && !secret_.empty();
    curl_easy_setopt(handle, CURLOPT_PASSWORD, (cram ? secret_ : password_).Reveal().c_str());
    curl_easy_setopt(handle, CURLOPT_LOGIN_OPTIONS, cram ? "AUTH=CRAM-MD5" : "AUTH=PLAIN;AUTH=LOGIN");
    if (!identity_.empty()) curl_easy_setopt(handle, CURLOPT_SASL_AUTHZID, identity_.c_str());
  }

  std::string to_, from_, hello_, smarthost_, username_, identity_;
  core::Secret password_, secret_;
  bool require_tls_ = true;
  bool implicit_tls_ = false;
  core::TlsOptions tls_;
  std::string html_, text_;
  std::vector<std::pair<std::string, std::string>> headers_;  // Subject, To, From, then the others by name
};

std::unique_ptr<Receiver> Make(const core::Options& options, const core::Options& global, core::ConfigErrors& errors) {
  return std::make_unique<Email>(options, global, errors);
}

}  // namespace

const ReceiverKind kEmailReceiver{.name = "email",
                                  .key = "email_configs",
                                  .help = "sends mail by SMTP",
                                  .options = kOptions,
                                  .send_resolved = false,
                                  .make = Make};

}  // namespace pipewarden::alertmanager
