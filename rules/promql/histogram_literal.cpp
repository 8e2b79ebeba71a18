#include "rules/promql/histogram_literal.h"

#include <set>

#include "core/text/go_string.h"
#include "rules/promql/literal.h"

namespace pipewarden::rules::promql {
namespace {

std::unexpected<core::Error> Bad(std::string message) {
  return core::Fail(core::ErrorCode::kInvalid, std::move(message));
}

std::string_view TrimBlanks(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return text;
}

class HistogramReader {
 public:
  core::Result<core::FloatHistogram> Run(std::string_view body) {
    while (!(body = TrimBlanks(body)).empty()) {
      const std::size_t colon = body.find(':');
      if (colon == std::string_view::npos) return Bad("a histogram's fields are written key:value");
      const std::string_view key = body.substr(0, colon);
      body.remove_prefix(colon + 1);
      const bool list = body.starts_with('[');
      const std::size_t end = body.find(list ? ']' : ' ');
      if (list && end == std::string_view::npos) return Bad("a histogram's list is not closed by ]");
      if (!seen_.insert(key).second) return Bad("duplicate key " + core::GoQuote(key) + " in histogram");
      const std::string_view value = list ? body.substr(1, end - 1) : body.substr(0, end);
      if (auto set = Set(key, value, list); !set) return core::Fail(set.error());
      body.remove_prefix(end == std::string_view::npos ? body.size() : end + 1);
    }
    Place(offset_, positive_, histogram_.positive);
    Place(negative_offset_, negative_, histogram_.negative);
    return std::move(histogram_);
  }

  bool hint_given() const { return seen_.contains("counter_reset_hint"); }

 private:
  core::Result<void> Set(std::string_view key, std::string_view value, bool list) {
    const auto numbers = [&](std::vector<double>& out) { return list ? Numbers(value, out) : Bad(NotAList(key)); };
    if (key == "schema") return Schema(value);
    if (key == "sum") return Number(value, histogram_.sum);
    if (key == "count") return Number(value, histogram_.count);
    if (key == "z_bucket") return Number(value, histogram_.zero_count);
    if (key == "z_bucket_w") return Number(value, histogram_.zero_threshold);
    if (key == "offset") return Whole(value, offset_);
    if (key == "n_offset") return Whole(value, negative_offset_);
    if (key == "buckets") return numbers(positive_);
    if (key == "n_buckets") return numbers(negative_);
    if (key == "counter_reset_hint") return Hint(value);
    if (key != "custom_values") return Bad("unknown histogram field " + core::GoQuote(key));
    std::vector<double> bounds;
    auto read = numbers(bounds);
    if (!bounds.empty()) histogram_.bounds = std::make_shared<const std::vector<double>>(std::move(bounds));
    return read;
  }

  static std::string NotAList(std::string_view key) { return std::string(key) + " is written as a list: [1 2 3]"; }

  static core::Result<void> Number(std::string_view text, double& out) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    const auto value = ParseNumber(text);
    if (!value) return core::Fail(value.error());
    out = negative ? -*value : *value;
    return {};
  }

  static core::Result<void> Whole(std::string_view text, std::int32_t& out) {
    double value = 0;
    if (auto read = Number(text, value); !read) return read;
    if (!(value >= -1e6 && value <= 1e6) || value != static_cast<double>(static_cast<std::int32_t>(value)))
      return Bad("bad whole number " + core::GoQuote(text) + " in histogram");
    out = static_cast<std::int32_t>(value);
    return {};
  }

  core::Result<void> Schema(std::string_view text) {
    if (auto read = Whole(text, histogram_.schema); !read) return read;
    if (histogram_.is_custom() || (histogram_.schema >= core::FloatHistogram::kMinSchema &&
                                   histogram_.schema <= core::FloatHistogram::kMaxSchema))
      return {};
    return Bad("unknown histogram schema " + std::string(text) + " (-4 to 8, or -53)");
  }

  core::Result<void> Hint(std::string_view text) {
    using core::CounterResetHint;
    static constexpr std::pair<std::string_view, CounterResetHint> kHints[] = {
        {"unknown", CounterResetHint::kUnknown},
        {"reset", CounterResetHint::kReset},
        {"not_reset", CounterResetHint::kNotReset},
        {"gauge", CounterResetHint::kGauge}};
    for (const auto& [name, hint] : kHints)
      if (text == name) {
        histogram_.hint = hint;
        return {};
      }
    return Bad("unknown counter_reset_hint " + core::GoQuote(text) + " (unknown, reset, not_reset or gauge)");
  }

  static core::Result<void> Numbers(std::string_view text, std::vector<double>& out) {
    while (!(text = TrimBlanks(text)).empty()) {
      const std::size_t end = std::min(text.find(' '), text.size());
      if (auto read = Number(text.substr(0, end), out.emplace_back()); !read) return read;
      text.remove_prefix(end);
    }
    return {};
  }

  static void Place(std::int32_t offset, const std::vector<double>& counts, core::HistogramBuckets& side) {
    for (const double count : counts) side.push_back({offset++, count});
  }

  core::FloatHistogram histogram_;
  std::vector<double> positive_;
  std::vector<double> negative_;
  std::int32_t offset_ = 0;
  std::int32_t negative_offset_ = 0;
  std::set<std::string_view> seen_;
};

}  // namespace

core::Result<core::FloatHistogram> ReadHistogramLiteral(std::string_view& text, bool& hint_given) {
  const std::size_t end = text.find("}}");
  if (!text.starts_with("{{") || end == std::string_view::npos) return Bad("a histogram is not closed by }}");
  HistogramReader reader;
  auto histogram = reader.Run(text.substr(2, end - 2));
  hint_given = reader.hint_given();
  text.remove_prefix(end + 2);
  return histogram;
}

}  // namespace pipewarden::rules::promql
