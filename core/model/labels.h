// A label set: names and values, sorted by name, names unique, no empty value (an empty value is an absent label, as in
// Prometheus). The metric's name is the label __name__. A value type; copies are deep.
#pragma once

#include <compare>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pipewarden::core {

inline constexpr std::string_view kMetricName = "__name__";
inline constexpr std::string_view kAlertName = "alertname";

struct Label {
  std::string name;
  std::string value;
  auto operator<=>(const Label&) const = default;
};

// Of texts that somebody else holds.
struct LabelView {
  std::string_view name;
  std::string_view value;
};

class Labels {
 public:
  Labels() = default;
  // Sorts; of equal names the last wins; empty values are dropped.
  Labels(std::initializer_list<Label> labels);
  explicit Labels(std::vector<Label> labels);
  explicit Labels(std::span<const LabelView> labels);

  // "" where the label is absent.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const { return !Get(name).empty(); }
  void Set(std::string_view name, std::string_view value);  // "" removes
  void Remove(std::string_view name) { Set(name, ""); }

  bool empty() const { return labels_.empty(); }
  std::size_t size() const { return labels_.size(); }
  auto begin() const { return labels_.begin(); }
  auto end() const { return labels_.end(); }

  // Stable within a process only; for hash tables.
  std::uint64_t Hash() const;
  // Alertmanager's: FNV-1a 64 over name, 0xFF, value, 0xFF in the order of names. Printed as %016x.
  std::uint64_t Fingerprint() const;
  // {a="1", b="2"}; the metric name is written in front: up{job="x"}. Names outside the classic charset are quoted.
  std::string ToString() const;

  auto operator<=>(const Labels&) const = default;

 private:
  std::vector<Label> labels_;
};

struct LabelsHash {
  std::size_t operator()(const Labels& labels) const { return labels.Hash(); }
};

bool IsValidLabelName(std::string_view name);   // [a-zA-Z_][a-zA-Z0-9_]*
bool IsValidMetricName(std::string_view name);  // [a-zA-Z_:][a-zA-Z0-9_:]*

}  // namespace pipewarden::core
