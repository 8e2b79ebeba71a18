#include "core/model/labels.h"

#include <algorithm>
#include <functional>

#include "core/text/escape.h"

namespace pipewarden::core {
namespace {

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsNameRest(char c) { return IsNameStart(c) || (c >= '0' && c <= '9'); }

std::vector<Label> CopyOf(std::span<const LabelView> views) {
  std::vector<Label> labels;
  labels.reserve(views.size());
  for (const LabelView& view : views) labels.push_back({std::string(view.name), std::string(view.value)});
  return labels;
}

}  // namespace

Labels::Labels(std::initializer_list<Label> labels) : Labels(std::vector<Label>(labels)) {}

Labels::Labels(std::vector<Label> labels) : labels_(std::move(labels)) {
  std::ranges::stable_sort(labels_, {}, &Label::name);
  // Of equal names the last wins: unique() keeps the first of a run, so it runs over the reverse.
  auto kept =
      std::unique(labels_.rbegin(), labels_.rend(), [](const Label& a, const Label& b) { return a.name == b.name; });
  labels_.erase(labels_.begin(), kept.base());
  std::erase_if(labels_, [](const Label& label) { return label.value.empty(); });
}

Labels::Labels(std::span<const LabelView> labels) : Labels(CopyOf(labels)) {}

std::string_view Labels::Get(std::string_view name) const {
  // Label sets are small: a linear walk over sorted names beats a binary search.
  for (const Label& label : labels_)
    if (label.name == name) return label.value;
  return {};
}

void Labels::Set(std::string_view name, std::string_view value) {
  auto at =
      std::ranges::lower_bound(labels_, name, {}, [](const Label& label) { return std::string_view(label.name); });
  const bool present = at != labels_.end() && at->name == name;
  if (value.empty()) {
    if (present) labels_.erase(at);
  } else if (present) {
    at->value = value;
  } else {
    labels_.insert(at, Label{std::string(name), std::string(value)});
  }
}

std::uint64_t Labels::Hash() const {
  std::uint64_t hash = 0x9E3779B97F4A7C15U;
  for (const Label& label : labels_) {
    hash = (hash ^ std::hash<std::string>{}(label.name)) * 0x9FB21C651E98DF25U;
    hash = (hash ^ (hash >> 29U) ^ std::hash<std::string>{}(label.value)) * 0xD6E8FEB86659FD93U;
  }
  return hash ^ (hash >> 32U);
}

std::uint64_t Labels::Fingerprint() const {
  std::uint64_t hash = 14695981039346656037U;
  auto add = [&](unsigned char byte) { hash = (hash ^ byte) * 1099511628211U; };
  for (const Label& label : labels_) {
    for (const char c : label.name) add(static_cast<unsigned char>(c));
    add(0xFF);
    for (const char c : label.value) add(static_cast<unsigned char>(c));
    add(0xFF);
  }
  return hash;
}

std::string Labels::ToString() const {
  const std::string_view metric = Get(kMetricName);
  const bool plain = IsValidMetricName(metric);
  std::string out(plain ? metric : "");
  if (plain && labels_.size() == 1) return out;
  out += '{';
  bool first = true;
  if (!metric.empty() && !plain) {
    AppendLabelValue(out, metric);
    first = false;
  }
  for (const Label& label : labels_) {
    if (label.name == kMetricName) continue;
    if (!first) out += ", ";
    first = false;
    if (IsValidLabelName(label.name))
      out += label.name;
    else
      AppendLabelValue(out, label.name);
    out += '=';
    AppendLabelValue(out, label.value);
  }
  return out += '}';
}

bool IsValidLabelName(std::string_view name) {
  return !name.empty() && IsNameStart(name[0]) && std::ranges::all_of(name, IsNameRest);
}

bool IsValidMetricName(std::string_view name) {
  return !name.empty() && (IsNameStart(name[0]) || name[0] == ':') &&
         std::ranges::all_of(name, [](char c) { return IsNameRest(c) || c == ':'; });
}

}  // namespace pipewarden::core
