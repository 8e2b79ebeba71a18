// label_replace and label_join.
#include <re2/re2.h>

#include "core/text/utf8.h"
#include "rules/promql/functions/call_context.h"
#include "rules/promql/functions/function_list.h"

namespace pipewarden::rules::promql {
namespace {

bool IsNameChar(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// A replacement as Go's regexp.Expand reads it: $1, ${1}, $name, ${name}, $$; an unknown group is empty, a lone $ is
// itself.
class Template {
 public:
  Template(std::string_view text, const re2::RE2& regex) {
    std::string literal;
    while (!text.empty()) {
      const std::size_t dollar = text.find('$');
      literal += text.substr(0, dollar);
      if (dollar == std::string_view::npos) break;
      text.remove_prefix(dollar + 1);
      if (text.starts_with('$')) {
        literal += '$';
        text.remove_prefix(1);
        continue;
      }
      const bool braced = text.starts_with('{');
      std::size_t end = braced ? 1 : 0;
      while (end < text.size() && IsNameChar(text[end])) ++end;
      const std::string name(text.substr(braced ? 1 : 0, end - (braced ? 1 : 0)));
      if (name.empty() || (braced && (end >= text.size() || text[end] != '}'))) {
        literal += '$';
        continue;
      }
      text.remove_prefix(end + (braced ? 1 : 0));
      parts_.push_back({std::move(literal), GroupOf(name, regex)});
      literal.clear();
    }
    parts_.push_back({std::move(literal), -1});
  }

  std::string Expand(std::span<const re2::StringPiece> groups) const {
    std::string out;
    for (const Part& part : parts_) {
      out += part.literal;
      if (part.group >= 0 && static_cast<std::size_t>(part.group) < groups.size()) {
        const re2::StringPiece& group = groups[static_cast<std::size_t>(part.group)];
        out.append(group.data() == nullptr ? "" : group.data(), group.size());
      }
    }
    return out;
  }

 private:
  struct Part {
    std::string literal;
    int group;
  };

  static int GroupOf(const std::string& name, const re2::RE2& regex) {
    const bool number = std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
    if (number && name.size() < 9 && (name == "0" || name[0] != '0')) return std::stoi(name);
    const auto& named = regex.NamedCapturingGroups();
    const auto at = named.find(name);
    return at == named.end() ? -1 : at->second;
  }

  std::vector<Part> parts_;
};

// The row's labels with one changed. __name__ set anew is no longer dropped.
void SetLabel(CallContext& call, SeriesHead& head, std::string_view name, std::string_view value) {
  core::Labels labels = call.VisibleLabels(head);
  if (call.NameIsHidden(head)) head.drop_name = false;
  if (name == core::kMetricName) head.drop_name = false;
  labels.Set(name, value);
  head.labels = std::make_shared<const core::Labels>(std::move(labels));
}

core::Result<Value> LabelReplace(CallContext& call) {
  const std::string target = call.StringArg(1);
  const std::string replacement = call.StringArg(2);
  const std::string source = call.StringArg(3);
  const std::string pattern = call.StringArg(4);
  const auto regex = core::CompileRegex("^(?s:" + pattern + ")$");
  if (!regex) return core::Fail(core::ErrorCode::kInvalid, "invalid regular expression in label_replace(): " + pattern);
  if (target.empty() || !core::IsValidUtf8(target))
    return core::Fail(core::ErrorCode::kInvalid, "invalid destination label name in label_replace(): " + target);
  auto vector = call.EvalVector(0);
  if (!vector) return core::Fail(vector.error());
  const Template expansion(replacement, **regex);
  std::vector<re2::StringPiece> groups(static_cast<std::size_t>((*regex)->NumberOfCapturingGroups()) + 1);
  for (SeriesHead& head : vector->series) {
    const bool hidden = call.NameIsHidden(head) && source == core::kMetricName;
    const std::string_view value = hidden ? std::string_view{} : head.labels->Get(source);
    const re2::StringPiece text(value.data() == nullptr ? "" : value.data(), value.size());
    if (!(*regex)->Match(text, 0, text.size(), re2::RE2::UNANCHORED, groups.data(), static_cast<int>(groups.size())))
      continue;
    SetLabel(call, head, target, expansion.Expand(groups));
  }
  return call.MergedByLabels(std::move(*vector));
}

core::Result<Value> LabelJoin(CallContext& call) {
  const std::string target = call.StringArg(1);
  const std::string separator = call.StringArg(2);
  std::vector<std::string> sources;
  for (std::size_t i = 3; i < call.size(); ++i) {
    sources.push_back(call.StringArg(i));
    if (sources.back().empty() || !core::IsValidUtf8(sources.back()))
      return core::Fail(core::ErrorCode::kInvalid, "invalid source label name in label_join(): " + sources.back());
  }
  if (target.empty() || !core::IsValidUtf8(target))
    return core::Fail(core::ErrorCode::kInvalid, "invalid destination label name in label_join(): " + target);
  auto vector = call.EvalVector(0);
  if (!vector) return core::Fail(vector.error());
  for (SeriesHead& head : vector->series) {
    const core::Labels labels = call.VisibleLabels(head);
    std::string joined;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      if (i > 0) joined += separator;
      joined += labels.Get(sources[i]);
    }
    SetLabel(call, head, target, joined);
  }
  return call.MergedByLabels(std::move(*vector));
}

constexpr ValueType kReplaceArgs[] = {ValueType::kVector, ValueType::kString, ValueType::kString, ValueType::kString,
                                      ValueType::kString};
constexpr ValueType kJoinArgs[] = {ValueType::kVector, ValueType::kString, ValueType::kString, ValueType::kString};

const Function kFunctions[] = {
    {.name = "label_replace",
     .args = kReplaceArgs,
     .help = "label_replace(v, dst, replacement, src, regex): sets dst where src matches.",
     .general = LabelReplace},
    {.name = "label_join",
     .args = kJoinArgs,
     .variadic = -1,
     .help = "label_join(v, dst, separator, src...): sets dst to the joined values.",
     .general = LabelJoin},
};

}  // namespace

std::span<const Function> LabelsFunctions() { return kFunctions; }

}  // namespace pipewarden::rules::promql
