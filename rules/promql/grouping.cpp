#include "rules/promql/grouping.h"

#include <algorithm>

#include "core/text/go_string.h"

namespace pipewarden::rules::promql {

bool IsMetadataLabel(std::string_view name) {
  return name.starts_with("__") && (name == core::kMetricName || name == "__type__" || name == "__unit__");
}

core::Labels WithoutMetadata(const core::Labels& labels) {
  // A copy and an erasure: building anew would sort again.
  core::Labels kept = labels;
  for (const std::string_view name : {core::kMetricName, std::string_view("__type__"), std::string_view("__unit__")})
    kept.Remove(name);
  return kept;
}

std::string LabelsText(const core::Labels& labels) {
  std::string out = "{";
  for (const core::LabelView label : labels) {
    if (out.size() > 1) out += ", ";
    out += core::IsValidLabelName(label.name) ? label.name : core::GoQuote(label.name);
    out += '=';
    out += core::GoQuote(label.value);
  }
  return out += '}';
}

void AppendKeyWithout(const core::Labels& labels, std::span<const std::string_view> names, bool hide_name,
                      std::string& key) {
  key.clear();
  for (const core::LabelView label : labels) {
    if (hide_name && IsMetadataLabel(label.name)) continue;
    if (std::ranges::find(names, std::string_view(label.name)) != names.end()) continue;
    key += label.name;
    key += '\xFF';
    key += label.value;
    key += '\xFF';
  }
}

void AppendKeyOf(const core::Labels& labels, std::span<const std::string> names, bool hide_name, std::string& key) {
  key.clear();
  for (const std::string& name : names) {
    if (!hide_name || !IsMetadataLabel(name)) key += labels.Get(name);
    key += '\xFF';
  }
}

core::Result<VectorValue> MergeEqualRows(VectorValue vector, bool names_hidden) {
  KeyIndex index;
  index.reserve(vector.size());
  std::string key;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < vector.size(); ++i) {
    const SeriesHead& head = vector.series[i];
    AppendKeyWithout(*head.labels, {}, names_hidden && head.drop_name, key);
    const auto [entry, added] = index.try_emplace(key, kept);
    const double* from = vector.row(i);
    if (added) {
      if (kept != i) {
        std::copy_n(from, vector.steps, vector.row(kept));
        vector.series[kept] = std::move(vector.series[i]);
      }
      ++kept;
      continue;
    }
    double* to = vector.row(entry->second);
    for (std::size_t step = 0; step < vector.steps; ++step) {
      if (IsAbsent(from[step])) continue;
      if (IsPresent(to[step]))
        return core::Fail(core::ErrorCode::kInvalid, "vector cannot contain metrics with the same labelset");
      to[step] = from[step];
    }
  }
  vector.series.resize(kept);
  vector.cells.resize(kept * vector.steps);
  return vector;
}

bool DroppedNamesDiffer(const VectorValue& vector) {
  const core::Labels* first = nullptr;
  for (const SeriesHead& head : vector.series) {
    if (!head.drop_name) continue;
    if (first == nullptr) {
      first = head.labels.get();
      continue;
    }
    for (const std::string_view name : {core::kMetricName, std::string_view("__type__"), std::string_view("__unit__")})
      if (first->Get(name) != head.labels->Get(name)) return true;
  }
  // A row that keeps its labels may equal one that loses its name.
  return first != nullptr && std::ranges::any_of(vector.series, [](const SeriesHead& head) { return !head.drop_name; });
}

}  // namespace pipewarden::rules::promql
