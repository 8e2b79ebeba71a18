// The kind `http`: asks one URL, judges status, headers, body and certificate, and exports the phases of the request.
// Names and meaning of the metrics are blackbox_exporter's (prober/http.go), so that its dashboards and rules fit. A
// fresh connection each time, because an old one says nothing of resolving, connecting and certificates.
#include <re2/re2.h>

#include <algorithm>
#include <cctype>
#include <ctime>

#include "core/model/matcher.h"
#include "core/time/duration.h"
#include "exporters/http_options.h"
#include "exporters/probes/list.h"

namespace pipewarden::exporters {
namespace {

using core::MetricType;
using core::OptionType;
using Regex = std::shared_ptr<const re2::RE2>;

constexpr std::string_view kTlsPolicies[] = {"any", "required", "forbidden"};

constexpr core::Option kOptions[] = {
    {.name = "url", .type = OptionType::kUrl, .required = true, .help = "What is asked for."},
    {.name = "method", .default_text = "GET", .help = "The request's method."},
    {.name = "body", .help = "The request's body."},
    {.name = "status",
     .type = OptionType::kStringList,
     .default_text = "2xx",
     .help = "Status codes that are well: 200, 2xx, [200, 404]."},
    {.name = "body_matches",
     .type = OptionType::kStringList,
     .help = "Regular expressions (RE2) that the body must match somewhere, all of them."},
    {.name = "body_not_matches",
     .type = OptionType::kStringList,
     .help = "Regular expressions that the body must not match."},
    {.name = "header_matches",
     .type = OptionType::kStringMap,
     .help = "Headers that must be there and match: {Content-Type: '^text/html'}."},
    {.name = "header_not_matches",
     .type = OptionType::kStringMap,
     .help = "Headers that, where there, must not match."},
    {.name = "follow_redirects",
     .type = OptionType::kBool,
     .default_text = "true",
     .help = "Follow redirects, ten at most."},
    {.name = "tls",
     .type = OptionType::kEnum,
     .default_text = "any",
     .choices = kTlsPolicies,
     .help = "Whether the last answer must, or must not, come over TLS."},
    {.name = "min_certificate_validity",
     .type = OptionType::kDuration,
     .help = "Fail when a certificate of the server expires sooner than this, such as 14d."},
    {.name = "max_body",
     .type = OptionType::kBytes,
     .default_text = "1MB",
     .min = 0,
     .max = 1e9,
     .help = "Read no more of the body than this; patterns see what was read."},
};
const core::OptionTable kTables[] = {kOptions, HttpConnectionOptions()};

constexpr ProbeMetric kMetrics[] = {
    {"probe_http_duration_seconds", MetricType::kGauge, "seconds",
     "Duration of the request by phase (resolve, connect, tls, processing, transfer), summed over redirects."},
    {"probe_http_status_code", MetricType::kGauge, "", "Status code of the last answer; 0 where there was none."},
    {"probe_http_version", MetricType::kGauge, "", "HTTP version of the last answer, such as 1.1."},
    {"probe_http_redirects", MetricType::kGauge, "", "How many redirects were followed."},
    {"probe_http_ssl", MetricType::kGauge, "", "1 where the last answer came over TLS, else 0."},
    {"probe_http_content_length", MetricType::kGauge, "bytes",
     "Content-Length of the last answer; -1 where it has none."},
    {"probe_http_uncompressed_body_length", MetricType::kGauge, "bytes", "Length of the body that was read, decoded."},
    {"probe_http_last_modified_timestamp_seconds", MetricType::kGauge, "seconds", "Last-Modified of the last answer."},
    kRegexMetric,
    kDnsLookupMetric,
    kIpProtocolMetric,
    kIpHashMetric,
    {"probe_ssl_earliest_cert_expiry", MetricType::kGauge, "seconds",
     "When the first of the certificates that the server sent expires, in seconds since the epoch."},
    {"probe_ssl_last_chain_expiry_timestamp_seconds", MetricType::kGauge, "seconds",
     "When the verified chain expires, in seconds since the epoch."},
    {"probe_ssl_last_chain_info", MetricType::kGauge, "", "1, with labels that tell the server's certificate."},
    {"probe_tls_version_info", MetricType::kGauge, "", "1, with the TLS version as label."},
    {"probe_tls_cipher_info", MetricType::kGauge, "", "1, with the TLS cipher as label."},
};

struct HeaderPattern {
  std::string header;
  Regex regex;
};

struct HttpChecks {
  std::vector<std::pair<int, int>> status;  // ranges, both ends included
  std::string status_text;
  std::vector<Regex> body, not_body;
  std::vector<HeaderPattern> headers, not_headers;
  std::string tls;
  core::Duration min_validity{};
};

// "2xx" or "204".
std::optional<std::pair<int, int>> ParseStatus(std::string_view text) {
  if (text.size() != 3 || text[0] < '1' || text[0] > '5') return std::nullopt;
  const int hundred = (text[0] - '0') * 100;
  if (text.substr(1) == "xx") return std::pair{hundred, hundred + 99};
  if (std::isdigit(static_cast<unsigned char>(text[1])) == 0 || std::isdigit(static_cast<unsigned char>(text[2])) == 0)
    return std::nullopt;
  const int code = hundred + (text[1] - '0') * 10 + (text[2] - '0');
  return std::pair{code, code};
}

Regex Compile(const std::string& pattern, std::string_view option, const core::Options& options,
              core::ConfigErrors& errors) {
  auto regex = core::CompileRegex(pattern);
  if (regex) return *regex;
  errors.Add(options.Where(option),
             "bad regular expression in `" + std::string(option) + "`: " + regex.error().message);
  return nullptr;
}

std::vector<Regex> CompileList(std::string_view option, const core::Options& options, core::ConfigErrors& errors) {
  std::vector<Regex> regexes;
  for (const std::string& pattern : options.List(option))
    if (auto regex = Compile(pattern, option, options, errors)) regexes.push_back(std::move(regex));
  return regexes;
}

std::vector<HeaderPattern> CompileHeaders(std::string_view option, const core::Options& options,
                                          core::ConfigErrors& errors) {
  std::vector<HeaderPattern> patterns;
  for (const auto& [header, pattern] : options.Map(option))
    if (auto regex = Compile(pattern, option, options, errors)) patterns.push_back({header, std::move(regex)});
  return patterns;
}

HttpChecks ReadChecks(const core::Options& options, core::ConfigErrors& errors) {
  HttpChecks checks;
  for (const std::string& text : options.List("status")) {
    if (const auto range = ParseStatus(text)) {
      checks.status.push_back(*range);
      checks.status_text += (checks.status_text.empty() ? "" : ", ") + text;
    } else {
      errors.Add(options.Where("status"), "'" + text + "' is no status code: write 200 or 2xx");
    }
  }
  checks.body = CompileList("body_matches", options, errors);
  checks.not_body = CompileList("body_not_matches", options, errors);
  checks.headers = CompileHeaders("header_matches", options, errors);
  checks.not_headers = CompileHeaders("header_not_matches", options, errors);
  checks.tls = options.Text("tls");
  if (options.Has("min_certificate_validity")) checks.min_validity = options.Duration("min_certificate_validity");
  return checks;
}

struct Judgement {
  std::string error;  // "" is well
  bool by_regex = false;
};

Judgement JudgePatterns(const HttpChecks& checks, const core::HttpResponse& response) {
  for (const Regex& regex : checks.body)
    if (!re2::RE2::PartialMatch(response.body, *regex))
      return {"the body does not match '" + regex->pattern() + "'" +
                  (response.truncated ? " in the part that was read (see max_body)" : ""),
              true};
  for (const Regex& regex : checks.not_body)
    if (re2::RE2::PartialMatch(response.body, *regex)) return {"the body matches '" + regex->pattern() + "'", true};
  for (const auto& [header, regex] : checks.headers) {
    const std::string_view value = response.Header(header);
    if (value.empty()) return {"the answer has no header " + header, true};
    if (!re2::RE2::PartialMatch(value, *regex))
      return {"header " + header + " does not match '" + regex->pattern() + "'", true};
  }
  for (const auto& [header, regex] : checks.not_headers)
    for (const auto& [name, value] : response.headers)
      if (std::ranges::equal(name, header, [](char a, char b) { return std::tolower(a) == std::tolower(b); }) &&
          re2::RE2::PartialMatch(value, *regex))
        return {"header " + header + " matches '" + regex->pattern() + "'", true};
  return {};
}

Judgement Judge(const HttpChecks& checks, const core::HttpResponse& response, core::WallTime now) {
  const bool well = std::ranges::any_of(checks.status, [&](const auto& range) {
    return response.status >= range.first && response.status <= range.second;
  });
  if (!well) return {"status " + std::to_string(response.status) + ", expected " + checks.status_text};
  if (checks.tls == "required" && !response.tls) return {"the answer did not come over TLS"};
  if (checks.tls == "forbidden" && response.tls) return {"the answer came over TLS"};
  if (response.tls && checks.min_validity > core::Duration{} &&
      response.tls->earliest_expiry < now + checks.min_validity) {
    const auto left = std::chrono::floor<std::chrono::seconds>(response.tls->earliest_expiry - now);
    return {left.count() <= 0 ? "a certificate has expired"
                              : "a certificate expires in " + core::FormatDuration(left) + ", sooner than " +
                                    core::FormatDuration(checks.min_validity)};
  }
  return JudgePatterns(checks, response);
}

double Seconds(core::WallTime time) { return core::ToSeconds(time.time_since_epoch()); }

std::optional<double> ParseHttpDate(const std::string& text) {
  std::tm parts{};
  if (text.empty() || strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts) == nullptr) return std::nullopt;
  return static_cast<double>(timegm(&parts));
}

void AddTls(const core::TlsInfo& tls, std::vector<ProbeValue>& values) {
  if (tls.earliest_expiry != core::WallTime{})
    values.push_back({"probe_ssl_earliest_cert_expiry", Seconds(tls.earliest_expiry)});
  if (tls.verified_chain_expiry != core::WallTime{})
    values.push_back({"probe_ssl_last_chain_expiry_timestamp_seconds", Seconds(tls.verified_chain_expiry)});
  values.push_back({"probe_ssl_last_chain_info",
                    1,
                    {{"fingerprint_sha256", tls.fingerprint_sha256},
                     {"subject", tls.subject},
                     {"issuer", tls.issuer},
                     {"subjectalternative", tls.alternative_names}}});
  values.push_back({"probe_tls_version_info", 1, {{"version", tls.version}}});
  values.push_back({"probe_tls_cipher_info", 1, {{"cipher", tls.cipher}}});
}

void AddMeasurements(const core::HttpResponse& response, std::vector<ProbeValue>& values) {
  const core::HttpTimings& timings = response.timings;
  const std::pair<const char*, core::Duration> phases[] = {{"resolve", timings.resolve},
                                                           {"connect", timings.connect},
                                                           {"tls", timings.tls},
                                                           {"processing", timings.processing},
                                                           {"transfer", timings.transfer}};
  for (const auto& [phase, time] : phases)
    values.push_back({"probe_http_duration_seconds", core::ToSeconds(time), {{"phase", phase}}});
  values.push_back({kDnsLookupMetric.name, core::ToSeconds(timings.resolve)});
  values.push_back({"probe_http_status_code", static_cast<double>(response.status)});
  values.push_back({"probe_http_redirects", static_cast<double>(response.redirects)});
  values.push_back({"probe_http_ssl", response.tls ? 1.0 : 0.0});
  AddAddress(response.remote_ip, values);
  if (response.tls) AddTls(*response.tls, values);
  if (response.status == 0) return;
  values.push_back({"probe_http_version", response.version_major + response.version_minor / 10.0});
  values.push_back({"probe_http_content_length", static_cast<double>(response.content_length)});
  values.push_back({"probe_http_uncompressed_body_length", static_cast<double>(response.body.size())});
  if (const auto modified = ParseHttpDate(std::string(response.Header("Last-Modified"))))
    values.push_back({"probe_http_last_modified_timestamp_seconds", *modified});
}

class HttpProbe final : public Probe {
 public:
  HttpProbe(core::HttpRequest request, HttpChecks checks) : request_(std::move(request)), checks_(std::move(checks)) {}

  core::Task<ProbeResult> Run(ProbeContext context) override {
    core::HttpRequest request = request_;
    request.timeout = context.timeout;
    core::HttpResponse known;
    auto response = co_await context.http.Do(request, &known);
    ProbeResult result;
    Judgement judgement;
    if (response) {
      AddMeasurements(*response, result.values);
      judgement = Judge(checks_, *response, context.loop.clock().Now());
    } else {
      AddMeasurements(known, result.values);
      judgement.error = response.error().message;
    }
    result.values.push_back({kRegexMetric.name, judgement.by_regex ? 1.0 : 0.0});
    result.success = judgement.error.empty();
    if (result.success) {
      result.message = "status " + std::to_string(response->status);
    } else {
      result.error = HttpFailure(request, judgement.error);
    }
    co_return result;
  }

 private:
  core::HttpRequest request_;
  HttpChecks checks_;
};

std::unique_ptr<Probe> Make(const core::Options& options, core::ConfigErrors& errors) {
  core::HttpRequest request = MakeHttpRequest(options, errors);
  request.url = options.Text("url");
  request.method = options.Text("method");
  if (request.method.empty() ||
      !std::ranges::all_of(request.method, [](char c) { return std::isupper(static_cast<unsigned char>(c)); }))
    errors.Add(options.Where("method"), "'" + request.method + "' is no HTTP method: write GET, HEAD, POST, ...");
  request.body = options.Text("body");
  request.follow_redirects = options.Bool("follow_redirects");
  request.max_body_bytes = static_cast<std::size_t>(options.Bytes("max_body"));
  return std::make_unique<HttpProbe>(std::move(request), ReadChecks(options, errors));
}

}  // namespace

const ProbeKind kHttpProbe{.name = "http",
                           .summary = "Asks a URL; judges status, headers, body and certificate.",
                           .options = kTables,
                           .metrics = kMetrics,
                           .make = &Make};

}  // namespace pipewarden::exporters
