#include "core/config/option_table.h"

#include <re2/re2.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "core/read_file.h"
#include "core/time/civil_time.h"
#include "core/time/duration.h"

namespace pipewarden::core {
namespace {

std::string Quote(std::string_view text) { return "'" + std::string(text) + "'"; }

std::string Join(std::span<const std::string_view> words) {
  std::string out;
  for (const std::string_view word : words) out += (out.empty() ? "" : ", ") + std::string(word);
  return out;
}

// A bound or a default as a person writes it: 5, 0.5, 1e+30.
std::string Number(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.15g", value);
  return buffer;
}

// The same with its unit: a duration's bounds are seconds in the table, a size's are bytes.
std::string Bound(const Option& option, double value) {
  if (option.type == OptionType::kDuration)
    return FormatDuration(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value)));
  if (option.type != OptionType::kBytes || value < 1024) return Number(value);
  constexpr std::string_view kUnits[] = {"", "KiB", "MiB", "GiB"};
  std::size_t unit = 0;
  for (; unit + 1 < std::size(kUnits) && std::fmod(value, 1024) == 0; ++unit) value /= 1024;
  return Number(value) + std::string(kUnits[unit]);
}

struct TypeName {
  OptionType type;
  std::string_view name;    // for the reference
  std::string_view expect;  // "…, not a list"
};
constexpr TypeName kTypeNames[] = {
    {OptionType::kString, "string", "a string"},
    {OptionType::kBool, "boolean", "true or false"},
    {OptionType::kInt, "integer", "a whole number"},
    {OptionType::kFloat, "number", "a number"},
    {OptionType::kDuration, "duration", "a duration such as 30s or 5m"},
    {OptionType::kBytes, "size", "a size such as 1024, 64KB or 2GB"},
    {OptionType::kEnum, "one of", "one of its words"},
    {OptionType::kRegex, "regex", "a regular expression"},
    {OptionType::kUrl, "URL", "an http:// or https:// address"},
    {OptionType::kPath, "path", "a path"},
    {OptionType::kSecret, "secret", "a string"},
    {OptionType::kStringList, "list of strings", "a list of strings"},
    {OptionType::kOnlyStringList, "list of strings", "a list of strings"},
    {OptionType::kStringMap, "map of strings", "a map of strings"},
    {OptionType::kTimeZone, "time zone", "a time zone such as UTC or Europe/Berlin"},
    {OptionType::kNode, "see below", "anything"},
};
const TypeName& NameOf(OptionType type) { return *std::ranges::find(kTypeNames, type, &TypeName::type); }

std::size_t Levenshtein(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// 1024, 10KiB, 1.5GB; nullopt where it is none or exceeds 2^62.
std::optional<std::int64_t> ParseBytes(std::string_view text) {
  static constexpr std::string_view kPrefixes = "KMGTPE";
  std::size_t digits = 0;
  while (digits < text.size() && (std::isdigit(static_cast<unsigned char>(text[digits])) != 0 || text[digits] == '.'))
    ++digits;
  const std::string number(text.substr(0, digits));
  std::string_view unit = text.substr(digits);
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  if (number.empty() || number == "." || std::ranges::count(number, '.') > 1) return std::nullopt;
  double factor = 1;
  if (!unit.empty()) {
    if (const std::size_t power = kPrefixes.find(unit[0]); power != std::string_view::npos) {
      factor = std::pow(1024.0, static_cast<double>(power + 1));
      unit.remove_prefix(1);
      if (unit.starts_with('i')) unit.remove_prefix(1);
    }
    if (unit != "B" && !(unit.empty() && factor > 1)) return std::nullopt;
  }
  const double value = std::strtod(number.c_str(), nullptr) * factor;
  if (value > 4.6e18) return std::nullopt;
  return static_cast<std::int64_t>(std::llround(value));
}

// Empty where it is one; else what is wrong.
std::string UrlFault(std::string_view text) {
  std::string_view rest = text;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else {
    return "it starts neither with http:// nor with https://";
  }
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7F; }))
    return "it holds a space or a control character (write %20 for a space)";
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  const std::string_view host_port = authority.substr(authority.rfind('@') + 1);  // npos + 1 is 0
  const std::size_t colon = host_port.starts_with('[') ? host_port.find(':', host_port.find(']')) : host_port.find(':');
  if (host_port.substr(0, colon).empty()) return "it has no host";
  if (colon == std::string_view::npos) return "";
  const std::string_view port = host_port.substr(colon + 1);
  if (port.empty() || port.size() > 5 || !std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; }) ||
      std::atoi(std::string(port).c_str()) > 65535)
    return "its port " + Quote(port) + " is no number up to 65535";
  return "";
}

[[noreturn]] void Misuse(std::string_view what, std::string_view name) {
  std::fprintf(stderr, "option table: %.*s '%.*s'\n", static_cast<int>(what.size()), what.data(),
               static_cast<int>(name.size()), name.data());
  std::abort();
}

}  // namespace

class OptionReader {
 public:
  OptionReader(const YamlNode& node, std::span<const OptionTable> tables, std::string_view what, ConfigErrors& errors)
      : node_(node), tables_(tables), what_(what), errors_(errors) {
    options_.node_ = &node;
    options_.where_ = node.where();
    for (const OptionTable table : tables_) {
      for (const Option& option : table) {
        known_.push_back(option.name);
        if (option.type == OptionType::kSecret) file_names_.push_back(std::string(option.name) + "_file");
      }
    }
    for (const std::string& name : file_names_) known_.push_back(name);
  }

  Options Read() {
    if (node_.IsMap()) {
      for (const YamlNode::Entry& entry : node_.entries()) {
        if (std::ranges::find(known_, entry.key) == known_.end())
          errors_.Add(entry.key_where, "unknown key " + Quote(entry.key) + " in " + what_ + Hint(entry.key));
      }
    } else if (!node_.IsNull()) {
      errors_.Add(node_.where(), what_ + " must be a map of options, not " + std::string(node_.KindName()));
    }
    for (const OptionTable table : tables_)
      for (const Option& option : table) ReadOption(option);
    return std::move(options_);
  }

 private:
  using Value = Options::Value;

  std::string Hint(std::string_view key) const {
    const std::string hint = DidYouMean(key, known_);
    return hint.empty() ? " (known: " + Join(known_) + ")" : hint;
  }

  void ReadOption(const Option& option) {
    const YamlNode* given = Given(option.name);
    const YamlNode* file = option.type == OptionType::kSecret ? Given(std::string(option.name) + "_file") : nullptr;
    Value value;
    value.type = option.type;
    const bool empty = given != nullptr && given->IsScalar() && given->text().empty();
    if (given != nullptr && file != nullptr && !empty)
      errors_.Add(file->where(), Quote(option.name) + " and '" + std::string(option.name) +
                                     "_file' exclude each other in " + what_ + "; keep one");
    if (given != nullptr && Take(option, *given, value)) {
      value.given = true;
      value.where = given->where();
      options_.values_.emplace(option.name, std::move(value));
      return;
    }
    if (given == nullptr && file != nullptr && TakeFile(option, *file, value)) {
      value.given = value.from_file = true;
      value.where = file->where();
      options_.values_.emplace(option.name, std::move(value));
      return;
    }
    if (option.required && given == nullptr && file == nullptr && (node_.IsMap() || node_.IsNull()))
      errors_.Add(node_.where(), "key " + Quote(option.name) + " is missing in " + what_ + ": " +
                                     (option.help.empty() ? "add it" : std::string(option.help)));
    SetDefault(option);
  }

  // A key without a value counts as left out, as in Go.
  const YamlNode* Given(std::string_view name) const {
    const YamlNode* found = node_.IsMap() ? node_.Find(name) : nullptr;
    return found != nullptr && !found->IsNull() ? found : nullptr;
  }

  void SetDefault(const Option& option) {
    if (option.default_text.empty()) {
      options_.absent_.emplace_back(option.name, option.type);
      return;
    }
    const Result<YamlNode> node = ParseYaml(option.default_text, "");
    Value value;
    value.type = option.type;
    ConfigErrors own;
    OptionReader check(*node, {}, what_, own);
    if (option.type == OptionType::kNode || !check.Take(option, *node, value)) Misuse("bad default of", option.name);
    value.where = node_.where();
    if (option.type == OptionType::kPath) value.text = node_.where().Resolve(std::string(option.default_text));
    options_.values_.emplace(option.name, std::move(value));
  }

  bool Bad(const Option& option, const YamlNode& node, const std::string& why) {
    errors_.Add(node.where(), Quote(option.name) + " in " + what_ + " " + why);
    return false;
  }
  bool WrongType(const Option& option, const YamlNode& node) {
    std::string is = std::string(node.KindName());
    if (node.IsScalar() && option.type != OptionType::kSecret) is += " (" + Quote(node.text()) + ")";
    std::string expect(NameOf(option.type).expect);
    if (option.type == OptionType::kEnum) expect = "one of " + Join(option.choices);
    return Bad(option, node, "must be " + expect + ", not " + is);
  }

  bool InBounds(const Option& option, const YamlNode& node, double number) {
    if (number >= option.min && number <= option.max) return true;
    if (std::isnan(number) && std::isinf(option.min) && std::isinf(option.max)) return true;
    return Bad(option, node,
               "is " + node.text() + ", but must be at " +
                   (number < option.min ? "least " + Bound(option, option.min) : "most " + Bound(option, option.max)));
  }

  bool Take(const Option& option, const YamlNode& node, Value& value) {
    switch (option.type) {
      case OptionType::kNode:
        value.node = &node;
        return true;
      case OptionType::kOnlyStringList:
        if (node.IsScalar()) return WrongType(option, node);
        [[fallthrough]];
      case OptionType::kStringList:
        return TakeList(option, node, value);
      case OptionType::kStringMap:
        return TakeMap(option, node, value);
      default:
        break;
    }
    if (!node.IsScalar()) return WrongType(option, node);
    value.text = node.text();
    switch (option.type) {
      case OptionType::kBool: {
        const std::optional<bool> read = node.AsBool();
        value.integer = read.value_or(false) ? 1 : 0;
        return read ? true : WrongType(option, node);
      }
      case OptionType::kInt: {
        const std::optional<std::int64_t> read = node.AsInt();
        value.integer = read.value_or(0);
        return read ? InBounds(option, node, static_cast<double>(*read)) : WrongType(option, node);
      }
      case OptionType::kFloat: {
        const std::optional<double> read = node.AsFloat();
        value.number = read.value_or(0);
        return read ? InBounds(option, node, *read) : WrongType(option, node);
      }
      case OptionType::kDuration: {
        const Result<core::Duration> read = ParseDuration(value.text);
        if (!read) return Bad(option, node, "is no duration: " + read.error().message);
        value.integer = read->count();
        return InBounds(option, node, ToSeconds(*read));
      }
      case OptionType::kBytes: {
        const std::optional<std::int64_t> read = ParseBytes(value.text);
        value.integer = read.value_or(0);
        return read ? InBounds(option, node, static_cast<double>(*read)) : WrongType(option, node);
      }
      default:
        return TakeText(option, node, value);
    }
  }

  bool TakeText(const Option& option, const YamlNode& node, Value& value) {
    switch (option.type) {
      case OptionType::kEnum:
        if (std::ranges::find(option.choices, value.text) != option.choices.end()) return true;
        return Bad(option, node,
                   "is " + Quote(value.text) + ", but must be one of " + Join(option.choices) +
                       DidYouMean(value.text, option.choices));
      case OptionType::kRegex: {
        RE2::Options quiet;
        quiet.set_log_errors(false);
        const RE2 regex(value.text, quiet);
        return regex.ok() ? true : Bad(option, node, "is no RE2 regular expression: " + regex.error());
      }
      case OptionType::kUrl: {
        const std::string fault = UrlFault(value.text);
        return fault.empty() ? true : Bad(option, node, "is no address (" + Quote(value.text) + "): " + fault);
      }
      case OptionType::kPath:
        if (value.text.empty()) return Bad(option, node, "is empty");
        value.text = node.where().Resolve(value.text);
        return true;
      case OptionType::kTimeZone:
        if (TimeZone::Find(value.text)) return true;
        return Bad(option, node,
                   "is " + Quote(value.text) + ", which is no time zone of this machine (write for example " +
                       "UTC, Local or Europe/Berlin; the package tzdata holds them)");
      default:
        return true;
    }
  }

  bool TakeList(const Option& option, const YamlNode& node, Value& value) {
    if (node.IsScalar()) {
      value.pairs.emplace_back(node.text(), "");
      return true;
    }
    if (!node.IsSequence()) return WrongType(option, node);
    bool good = true;
    for (const YamlNode& item : node.items()) {
      if (item.IsScalar()) {
        value.pairs.emplace_back(item.text(), "");
      } else {
        good = Bad(option, item, "must be a list of strings, but holds " + std::string(item.KindName()));
      }
    }
    return good;
  }

  bool TakeMap(const Option& option, const YamlNode& node, Value& value) {
    if (!node.IsMap()) return WrongType(option, node);
    bool good = true;
    for (const YamlNode::Entry& entry : node.entries()) {
      if (entry.value.IsScalar()) {
        value.pairs.emplace_back(entry.key, entry.value.text());
      } else {
        good = Bad(option, entry.value,
                   "must be a map of strings, but " + Quote(entry.key) + " is " + std::string(entry.value.KindName()));
      }
    }
    return good;
  }

  bool TakeFile(const Option& option, const YamlNode& node, Value& value) {
    const std::string name = std::string(option.name) + "_file";
    if (!node.IsScalar() || node.text().empty()) {
      errors_.Add(node.where(), Quote(name) + " in " + what_ + " must be a path, not " + std::string(node.KindName()));
      return false;
    }
    Result<std::string> text = ReadSecretFile(node.where().Resolve(node.text()));
    if (!text) {
      errors_.Add(node.where(), Quote(name) + " in " + what_ + ": " + text.error().message +
                                    " (make the file, and readable for the agent's user)");
      return false;
    }
    value.text = std::move(*text);
    return true;
  }

  const YamlNode& node_;
  std::span<const OptionTable> tables_;
  std::string what_;
  ConfigErrors& errors_;
  std::vector<std::string_view> known_;
  std::vector<std::string> file_names_;  // the _file twins; known_ refers to them
  Options options_;
};

const Options::Value* Options::Get(std::string_view name, std::initializer_list<OptionType> types) const {
  const auto found = values_.find(name);
  const bool absent = found == values_.end();
  const auto unset = std::ranges::find(absent_, name, &std::pair<std::string, OptionType>::first);
  if (absent && unset == absent_.end()) Misuse("no option", name);
  const OptionType type = absent ? unset->second : found->second.type;
  if (types.size() > 0 && std::ranges::find(types, type) == types.end())
    Misuse("another type is read than declared of", name);
  return absent ? nullptr : &found->second;
}

bool Options::Has(std::string_view name) const { return Get(name, {}) != nullptr; }
bool Options::Given(std::string_view name) const {
  const Value* value = Get(name, {});
  return value != nullptr && value->given;
}
std::string Options::Text(std::string_view name) const {
  using enum OptionType;
  const Value* value = Get(name, {kString, kEnum, kRegex, kUrl, kPath, kTimeZone});
  return value != nullptr ? value->text : "";
}
bool Options::Bool(std::string_view name) const {
  const Value* value = Get(name, {OptionType::kBool});
  return value != nullptr && value->integer != 0;
}
std::int64_t Options::Int(std::string_view name) const {
  const Value* value = Get(name, {OptionType::kInt});
  return value != nullptr ? value->integer : 0;
}
double Options::Float(std::string_view name) const {
  const Value* value = Get(name, {OptionType::kFloat});
  return value != nullptr ? value->number : 0;
}
core::Duration Options::Duration(std::string_view name) const {
  const Value* value = Get(name, {OptionType::kDuration});
  return core::Duration(value != nullptr ? value->integer : 0);
}
std::int64_t Options::Bytes(std::string_view name) const {
  const Value* value = Get(name, {OptionType::kBytes});
  return value != nullptr ? value->integer : 0;
}
core::Secret Options::Secret(std::string_view name) const {
  const Value* value = Get(name, {OptionType::kSecret});
  return core::Secret(value != nullptr ? value->text : "");
}
std::vector<std::string> Options::List(std::string_view name) const {
  std::vector<std::string> list;
  if (const Value* value = Get(name, {OptionType::kStringList, OptionType::kOnlyStringList}))
    for (const auto& pair : value->pairs) list.push_back(pair.first);
  return list;
}
std::vector<std::pair<std::string, std::string>> Options::Map(std::string_view name) const {
  const Value* value = Get(name, {OptionType::kStringMap});
  return value != nullptr ? value->pairs : std::vector<std::pair<std::string, std::string>>{};
}
const YamlNode* Options::Node(std::string_view name) const {
  const Value* value = Get(name, {OptionType::kNode});
  return value != nullptr ? value->node : nullptr;
}
Location Options::Where(std::string_view name) const {
  const Value* value = Get(name, {});
  return value != nullptr ? value->where : where_;
}

std::string Options::Identity() const {
  std::string out = node_ != nullptr ? node_->Canonical() : "";
  for (const auto& [name, value] : values_)
    if (value.from_file) out += "\n" + name + "=" + value.text;
  return out;
}

Options ReadOptions(const YamlNode& node, std::span<const OptionTable> tables, std::string_view what,
                    ConfigErrors& errors) {
  return OptionReader(node, tables, what, errors).Read();
}

std::string Nearest(std::string_view word, std::span<const std::string_view> known) {
  const std::size_t limit = std::max<std::size_t>(2, word.size() / 3);
  std::string_view best;
  std::size_t best_distance = limit + 1;
  for (const std::string_view candidate : known) {
    const std::size_t distance = Levenshtein(word.substr(0, 256), candidate);
    // Of a two-letter word everything short is near: at least half of the letters must stay.
    if (distance < best_distance && distance * 2 <= std::max(word.size(), candidate.size())) {
      best = candidate;
      best_distance = distance;
    }
  }
  return std::string(best);
}

std::string DidYouMean(std::string_view word, std::span<const std::string_view> known) {
  const std::string nearest = Nearest(word, known);
  return nearest.empty() ? "" : " (did you mean " + Quote(nearest) + "?)";
}

std::string TableCell(std::string_view text) {
  std::string cell(text);
  for (std::size_t bar = 0; (bar = cell.find('|', bar)) != std::string::npos; bar += 2) cell.insert(bar, "\\");
  return cell;
}

std::string OptionReference(OptionTable table) {
  std::string out = "| name | type | default | help |\n|---|---|---|---|\n";
  for (const Option& option : table) {
    std::string type(NameOf(option.type).name);
    if (option.type == OptionType::kEnum) type += " " + Join(option.choices);
    if (!option.unit.empty()) type += ", " + std::string(option.unit);
    const bool low = !std::isinf(option.min);
    const bool high = !std::isinf(option.max);
    if (low && high) type += ", " + Bound(option, option.min) + " to " + Bound(option, option.max);
    if (low && !high) type += ", at least " + Bound(option, option.min);
    if (high && !low) type += ", at most " + Bound(option, option.max);
    const std::string name = "`" + std::string(option.name) + "`" +
                             (option.type == OptionType::kSecret ? " or `" + std::string(option.name) + "_file`" : "");
    const std::string standard = option.required               ? "required"
                                 : option.default_text.empty() ? ""
                                                               : "`" + TableCell(option.default_text) + "`";
    out += "| " + name + " | " + TableCell(type) + " | " + standard + " | " + TableCell(option.help) + " |\n";
  }
  return out;
}

}  // namespace pipewarden::core
