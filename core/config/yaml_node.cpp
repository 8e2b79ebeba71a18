// The tree that yaml.cpp builds: what its scalars are as Go's yaml.v3 types them, its canonical text; places and
// errors.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "core/config/yaml.h"
#include "core/text/escape.h"

namespace pipewarden::core {
namespace {

bool OneOf(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, text) != words.end();
}

std::string WithoutUnderscores(std::string_view text) {
  std::string out(text);
  std::erase(out, '_');
  return out;
}

// Go's strconv.ParseInt and ParseUint with base 0, on text without underscores; the value wraps above int64 for the few
// who may ask for its type only.
struct GoInt {
  bool is_int = false;
  bool fits = false;  // in int64
  std::int64_t value = 0;
};
GoInt ParseGoInt(std::string_view text) {
  const bool negative = !text.empty() && text[0] == '-';
  const bool sign = negative || (!text.empty() && text[0] == '+');
  if (sign) text.remove_prefix(1);
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char kind = static_cast<char>(text[1] | 0x20);
    base = kind == 'x' ? 16 : kind == 'b' ? 2 : 8;
    text.remove_prefix(kind == 'x' || kind == 'b' || kind == 'o' ? 2 : 1);
  }
  std::uint64_t magnitude = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), magnitude, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return {};
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 63U;
  if (negative) {
    if (magnitude > kLimit) return {};
    return {true, true, static_cast<std::int64_t>(~magnitude + 1)};
  }
  return {true, magnitude < kLimit, static_cast<std::int64_t>(magnitude)};
}

// ^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$ and the words for infinity and not-a-number.
std::optional<double> ParseGoFloat(std::string_view text) {
  if (OneOf(text, {".nan", ".NaN", ".NAN"})) return std::nan("");
  std::string_view rest = text;
  const bool negative = !rest.empty() && rest[0] == '-';
  if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) rest.remove_prefix(1);
  if (OneOf(rest, {".inf", ".Inf", ".INF"})) return negative ? -HUGE_VAL : HUGE_VAL;
  const std::string plain = WithoutUnderscores(rest);
  std::size_t i = 0;
  const auto digits = [&] {
    const std::size_t start = i;
    while (i < plain.size() && plain[i] >= '0' && plain[i] <= '9') ++i;
    return i - start;
  };
  const std::size_t whole = digits();
  if (i < plain.size() && plain[i] == '.') {
    ++i;
    if (digits() == 0 && whole == 0) return std::nullopt;
  } else if (whole == 0) {
    return std::nullopt;
  }
  if (i < plain.size() && (plain[i] == 'e' || plain[i] == 'E')) {
    ++i;
    if (i < plain.size() && (plain[i] == '-' || plain[i] == '+')) ++i;
    if (digits() == 0) return std::nullopt;
  }
  if (i != plain.size()) return std::nullopt;
  const double value = std::strtod(plain.c_str(), nullptr);
  return negative ? -value : value;
}

}  // namespace

std::string Location::ToString() const {
  std::string out = file;
  if (line > 0) out += ":" + std::to_string(line);
  if (line > 0 && column > 0) out += ":" + std::to_string(column);
  return out;
}

std::string Location::Resolve(const std::string& path) const {
  if (path.empty() || path[0] == '/') return path;
  return (std::filesystem::path(file).parent_path() / path).lexically_normal().string();
}

std::vector<std::string> ConfigErrors::Lines() const {
  std::vector<Entry> sorted = entries_;
  std::ranges::sort(sorted);
  const auto doubles = std::ranges::unique(sorted);
  sorted.erase(doubles.begin(), doubles.end());
  std::vector<std::string> lines;
  for (const Entry& entry : sorted) {
    const std::string place = entry.where.ToString();
    lines.push_back(place.empty() ? entry.message : place + ": " + entry.message);
  }
  return lines;
}

Error ConfigErrors::ToError() const {
  Error error{ErrorCode::kInvalid, ""};
  for (const std::string& line : Lines()) error.message += (error.message.empty() ? "" : "\n") + line;
  return error;
}

const YamlNode* YamlNode::Find(std::string_view key) const {
  const auto found = std::ranges::find(entries_, key, &Entry::key);
  return found == entries_.end() ? nullptr : &found->value;
}

std::string_view YamlNode::KindName() const {
  switch (kind_) {
    case Kind::kNull:
      return "nothing";
    case Kind::kSequence:
      return "a list";
    case Kind::kMap:
      return "a map";
    case Kind::kScalar:
      break;
  }
  switch (scalar_type()) {
    case ScalarType::kBool:
      return "a boolean";
    case ScalarType::kInt:
      return "a whole number";
    case ScalarType::kFloat:
      return "a number";
    case ScalarType::kString:
      break;
  }
  return "a string";
}

YamlNode::ScalarType YamlNode::scalar_type() const {
  if (kind_ != Kind::kScalar || quoted_ || text_.empty()) return ScalarType::kString;
  if (OneOf(text_, {"true", "True", "TRUE", "false", "False", "FALSE"})) return ScalarType::kBool;
  if (const char c = text_[0]; c != '.' && c != '+' && c != '-' && (c < '0' || c > '9')) return ScalarType::kString;
  if (ParseGoInt(WithoutUnderscores(text_)).is_int) return ScalarType::kInt;
  return ParseGoFloat(text_) ? ScalarType::kFloat : ScalarType::kString;
}

std::optional<bool> YamlNode::AsBool() const {
  if (kind_ != Kind::kScalar || quoted_) return std::nullopt;
  if (OneOf(text_, {"true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON"})) return true;
  if (OneOf(text_, {"false", "False", "FALSE", "n", "N", "no", "No", "NO", "off", "Off", "OFF"})) return false;
  return std::nullopt;
}

std::optional<std::int64_t> YamlNode::AsInt() const {
  if (const ScalarType type = scalar_type(); type != ScalarType::kInt && type != ScalarType::kFloat)
    return std::nullopt;
  if (const GoInt read = ParseGoInt(WithoutUnderscores(text_)); read.is_int)
    return read.fits ? std::optional(read.value) : std::nullopt;
  const double value = ParseGoFloat(text_).value_or(0.5);
  constexpr double kLimit = 9007199254740992.0;  // 2^53: beyond it a float is no exact integer
  if (std::trunc(value) != value || std::abs(value) > kLimit) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

std::optional<double> YamlNode::AsFloat() const {
  if (const ScalarType type = scalar_type(); type != ScalarType::kInt && type != ScalarType::kFloat)
    return std::nullopt;
  const GoInt read = ParseGoInt(WithoutUnderscores(text_));
  if (read.is_int)
    return read.fits ? static_cast<double>(read.value) : static_cast<double>(static_cast<std::uint64_t>(read.value));
  return ParseGoFloat(text_);
}

void YamlNode::AppendCanonical(std::string& out) const {
  switch (kind_) {
    case Kind::kNull:
      out += "null";
      return;
    case Kind::kScalar:
      if (scalar_type() == ScalarType::kString) {
        AppendJsonString(out, text_);
      } else {
        out += text_;
      }
      return;
    case Kind::kSequence:
      out += '[';
      for (std::size_t i = 0; i < items_.size(); ++i) {
        if (i > 0) out += ',';
        items_[i].AppendCanonical(out);
      }
      out += ']';
      return;
    case Kind::kMap:
      out += '{';
      for (std::size_t i = 0; i < entries_.size(); ++i) {
        if (i > 0) out += ',';
        AppendJsonString(out, entries_[i].key);
        out += ':';
        entries_[i].value.AppendCanonical(out);
      }
      out += '}';
      return;
  }
}

std::string YamlNode::Canonical() const {
  std::string out;
  AppendCanonical(out);
  return out;
}

}  // namespace pipewarden::core
