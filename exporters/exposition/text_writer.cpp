#include "exporters/exposition/text_writer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/text/utf8.h"

namespace pipewarden::exporters {
namespace {

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view NextPart(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return Trim(part);
}

void AppendValue(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    char buffer[32];
    const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
    out.append(buffer, end);
  }
}

// Escapes \ and newline, and where `quotes` is true the quote; repairs UTF-8, which both formats demand.
void AppendEscaped(std::string& out, std::string_view text, bool quotes) {
  std::string repaired;
  const bool ascii = std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (!ascii && !core::IsValidUtf8(text)) {
    repaired = core::ToValidUtf8(text);
    text = repaired;
  }
  const std::string_view special = quotes ? "\\\n\"" : "\\\n";
  while (true) {
    const std::size_t at = text.find_first_of(special);
    out += text.substr(0, at);
    if (at == std::string_view::npos) return;
    out += '\\';
    out += text[at] == '\n' ? 'n' : text[at];
    text.remove_prefix(at + 1);
  }
}

// The name with what the classic charset does not allow replaced by underscores.
void AppendName(std::string& out, std::string_view name, bool metric) {
  if (metric ? core::IsValidMetricName(name) : core::IsValidLabelName(name)) {
    out += name;
    return;
  }
  bool first = true;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (metric && c == ':');
    out += letter || (c >= '0' && c <= '9' && !first) ? c : '_';
    first = false;
  }
}

bool IsOpenMetrics(TextFormat format) { return format != TextFormat::kText004; }

// Collects the samples of all sources as text, in pieces that belong to families; Finish puts them together.
class Collector final : public core::SampleVisitor {
 public:
  explicit Collector(TextFormat format) : open_metrics_(IsOpenMetrics(format)) { samples_.reserve(64U << 10U); }

  void OnFamily(const core::MetricFamily& family) override {
    ClosePiece();
    const auto [found, fresh] = index_.try_emplace(FamilyName(family), families_.size());
    if (fresh) {
      families_.push_back(
          {.name = found->first, .help = family.help, .unit = family.unit, .type = family.type, .pieces = {}});
    }
    current_ = found->second;
    // OpenMetrics demands the suffix; client libraries write it where a counter's name lacks it.
    const bool lacks = family.type == core::MetricType::kCounter && !family.name.ends_with("_total");
    suffix_ = open_metrics_ && lacks ? "_total" : "";
  }

  void OnSample(const core::Series& series, double value) override {
    AppendName(samples_, series.labels.Get(core::kMetricName), true);
    samples_ += suffix_;
    char open = '{';
    for (const core::LabelView label : series.labels) {
      if (label.name == core::kMetricName) continue;
      samples_ += open;
      open = ',';
      AppendName(samples_, label.name, false);
      samples_ += "=\"";
      AppendEscaped(samples_, label.value, true);
      if (open_metrics_ && (label.name == "le" || label.name == "quantile") && IsInteger(label.value)) {
        samples_ += ".0";
      }
      samples_ += '"';
    }
    if (open == ',') samples_ += '}';
    samples_ += ' ';
    AppendValue(samples_, value);
    samples_ += '\n';
  }

  std::string Finish() {
    ClosePiece();
    std::string out;
    out.reserve(samples_.size() + families_.size() * 160 + 8);
    for (const Family& family : families_) {
      if (family.pieces.empty()) continue;
      AppendHead(out, family);
      if (family.pieces.size() == 1) {
        out += Text(family.pieces.front());
      } else {
        AppendShared(out, family);
      }
    }
    if (open_metrics_) out += "# EOF\n";
    return out;
  }

 private:
  struct Piece {
    std::size_t begin;
    std::size_t end;
  };
  struct Family {
    std::string name;
    std::string help;
    std::string unit;
    core::MetricType type;
    std::vector<Piece> pieces;
  };

  static bool IsInteger(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789", text.front() == '-' ? 1 : 0) == std::string_view::npos;
  }

  std::string_view Text(Piece piece) const {
    return std::string_view(samples_).substr(piece.begin, piece.end - piece.begin);
  }

  // In OpenMetrics a family is named without its samples' suffix; in 0.0.4 an info metric is a gauge named with it.
  std::string FamilyName(const core::MetricFamily& family) const {
    std::string name;
    AppendName(name, family.name, true);
    const bool info = family.type == core::MetricType::kInfo;
    if (open_metrics_) {
      if (family.type == core::MetricType::kCounter && name.ends_with("_total")) name.resize(name.size() - 6);
      if (info && name.ends_with("_info")) name.resize(name.size() - 5);
    } else if (info && !name.ends_with("_info")) {
      name += "_info";
    }
    return name;
  }

  std::string_view TypeName(core::MetricType type) const {
    switch (type) {
      case core::MetricType::kInfo:
        return open_metrics_ ? "info" : "gauge";
      case core::MetricType::kStateSet:
        return open_metrics_ ? "stateset" : "gauge";
      case core::MetricType::kUnknown:
        return open_metrics_ ? "unknown" : "untyped";
      case core::MetricType::kCounter:
        return "counter";
      case core::MetricType::kGauge:
        return "gauge";
      case core::MetricType::kHistogram:
        return "histogram";
      case core::MetricType::kSummary:
        return "summary";
    }
    return "untyped";
  }

  void ClosePiece() {
    if (current_ != kNone && samples_.size() > begin_) families_[current_].pieces.push_back({begin_, samples_.size()});
    begin_ = samples_.size();
  }

  void AppendHead(std::string& out, const Family& family) const {
    if (!family.help.empty()) {
      out += "# HELP ";
      out += family.name;
      out += ' ';
      AppendEscaped(out, family.help, open_metrics_);
      out += '\n';
    }
    out += "# TYPE ";
    out += family.name;
    out += ' ';
    out += TypeName(family.type);
    out += '\n';
    if (open_metrics_ && !family.unit.empty() && family.name.ends_with("_" + family.unit)) {
      out += "# UNIT " + family.name + " " + family.unit + "\n";
    }
  }

  // Of several sources: a series that two of them show is written once, the first's.
  void AppendShared(std::string& out, const Family& family) const {
    std::unordered_set<std::string_view> seen;
    for (const Piece piece : family.pieces) {
      std::string_view text = Text(piece);
      while (!text.empty()) {
        const std::size_t end = text.find('\n') + 1;
        const std::string_view line = text.substr(0, end);
        if (seen.insert(line.substr(0, line.rfind(' '))).second) out += line;
        text.remove_prefix(end);
      }
    }
  }

  static constexpr std::size_t kNone = SIZE_MAX;
  const bool open_metrics_;
  std::string samples_;
  std::vector<Family> families_;
  std::unordered_map<std::string, std::size_t> index_;
  std::size_t current_ = kNone;
  std::size_t begin_ = 0;
  std::string_view suffix_;
};

}  // namespace

std::string FormatValue(double value) {
  std::string text;
  AppendValue(text, value);
  return text;
}

TextFormat NegotiateTextFormat(std::string_view accept) {
  TextFormat best = TextFormat::kText004;
  double best_weight = 0;
  while (!accept.empty()) {
    std::string_view item = NextPart(accept, ',');
    const std::string_view type = NextPart(item, ';');
    std::string_view version;
    double weight = 1;
    while (!item.empty()) {
      const std::string_view parameter = NextPart(item, ';');
      if (parameter.starts_with("version=")) {
        version = parameter.substr(8);
        if (version.size() >= 2 && version.front() == '"') version = version.substr(1, version.size() - 2);
      } else if (parameter.starts_with("q=")) {
        const auto [end, error] = std::from_chars(parameter.data() + 2, parameter.data() + parameter.size(), weight);
        if (error != std::errc()) weight = 0;
      }
    }
    std::optional<TextFormat> format;
    if (type == "application/openmetrics-text" && (version.empty() || version == "1.0.0")) {
      format = TextFormat::kOpenMetrics100;
    } else if (type == "application/openmetrics-text" && version == "0.0.1") {
      format = TextFormat::kOpenMetrics001;
    } else if ((type == "text/plain" && (version.empty() || version == "0.0.4")) || type == "*/*" || type == "text/*") {
      format = TextFormat::kText004;
    }
    if (format && weight > best_weight) {
      best = *format;
      best_weight = weight;
    }
  }
  return best;
}

std::string_view ContentType(TextFormat format) {
  switch (format) {
    case TextFormat::kOpenMetrics100:
      return "application/openmetrics-text; version=1.0.0; charset=utf-8";
    case TextFormat::kOpenMetrics001:
      return "application/openmetrics-text; version=0.0.1; charset=utf-8";
    case TextFormat::kText004:
      break;
  }
  return "text/plain; version=0.0.4; charset=utf-8";
}

std::string WriteText(std::span<const std::shared_ptr<core::SampleSource>> sources, TextFormat format) {
  Collector collector(format);
  for (const auto& source : sources) source->Visit(collector);
  return collector.Finish();
}

}  // namespace pipewarden::exporters
