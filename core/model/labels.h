// A label set: names and values, sorted by name, names unique, no empty value (an empty value is an absent label, as in
// Prometheus). The metric's name is the label __name__. A value type in one packed block that never changes and that
// copies share, so that a copy costs a counter and an alert's labels their own bytes; Set() makes a new block. As safe
// from several threads as a std::shared_ptr: each thread has its own copy.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pipewarden::core {

inline constexpr std::string_view kMetricName = "__name__";
inline constexpr std::string_view kAlertName = "alertname";

// What sets are made from.
struct Label {
  std::string name;
  std::string value;
  auto operator<=>(const Label&) const = default;
};

// A label within a set (or that one is made from): good as long as that content lives in any set.
struct LabelView {
  std::string_view name;
  std::string_view value;
  auto operator<=>(const LabelView&) const = default;
};

class Labels {
 public:
  class Iterator;

  Labels() = default;
  // Sorts; of equal names the last wins; empty values are dropped.
  Labels(std::initializer_list<LabelView> labels);
  explicit Labels(const std::vector<Label>& labels);
  explicit Labels(std::span<const LabelView> labels);

  Labels(const Labels& other) : block_(other.block_) { Hold(); }
  Labels(Labels&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Labels& operator=(Labels other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Labels() { Release(); }

  // "" where the label is absent.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const { return !Get(name).empty(); }
  void Set(std::string_view name, std::string_view value);  // "" removes
  void Remove(std::string_view name) { Set(name, ""); }

  bool empty() const { return block_ == nullptr; }
  std::size_t size() const;
  Iterator begin() const;  // yields LabelView
  Iterator end() const;

  // Stable within a process only; for hash tables.
  std::uint64_t Hash() const;
  // Alertmanager's: FNV-1a 64 over name, 0xFF, value, 0xFF in the order of names. Printed as %016x.
  std::uint64_t Fingerprint() const;
  // {a="1", b="2"}; the metric name is written in front: up{job="x"}. Names outside the classic charset are quoted.
  std::string ToString() const;

  bool operator==(const Labels& other) const { return block_ == other.block_ || Bytes() == other.Bytes(); }
  std::strong_ordering operator<=>(const Labels& other) const;

 private:
  struct Block;
  void Pack(std::span<const LabelView> labels);  // sorted, unique, none empty; into an empty set
  void Hold() const;
  void Release();
  std::string_view Bytes() const;

  // Names and values one after the other, each behind its length: a byte, or 255 and four bytes. Null: the empty set.
  Block* block_ = nullptr;
};

class Labels::Iterator {
 public:
  using value_type = LabelView;
  using difference_type = std::ptrdiff_t;
  using iterator_concept = std::forward_iterator_tag;
  using iterator_category = std::input_iterator_tag;  // operator* gives a value

  Iterator() = default;
  LabelView operator*() const {
    const char* at = at_;
    const std::string_view name = Text(at);
    return {name, Text(at)};
  }
  Iterator& operator++() {
    Text(at_);
    Text(at_);
    return *this;
  }
  Iterator operator++(int) {
    const Iterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const Iterator&) const = default;

 private:
  friend class Labels;
  explicit Iterator(const char* at) : at_(at) {}
  static std::string_view Text(const char*& at);  // and moves behind it

  const char* at_ = nullptr;
};

inline std::string_view Labels::Iterator::Text(const char*& at) {
  std::size_t size = static_cast<unsigned char>(*at++);
  if (size == 0xFF) {
    std::uint32_t large = 0;
    std::memcpy(&large, at, sizeof large);
    at += sizeof large;
    size = large;
  }
  const std::string_view text(at, size);
  at += size;
  return text;
}

struct LabelsHash {
  std::size_t operator()(const Labels& labels) const { return labels.Hash(); }
};

bool IsValidLabelName(std::string_view name);   // [a-zA-Z_][a-zA-Z0-9_]*
bool IsValidMetricName(std::string_view name);  // [a-zA-Z_:][a-zA-Z0-9_:]*

}  // namespace pipewarden::core
