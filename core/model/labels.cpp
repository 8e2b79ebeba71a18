#include "core/model/labels.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <limits>
#include <new>
#include <stdexcept>

#include "core/text/escape.h"

namespace pipewarden::core {
namespace {

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsNameRest(char c) { return IsNameStart(c) || (c >= '0' && c <= '9'); }

}  // namespace

// Its bytes follow it.
struct Labels::Block {
  std::atomic<std::uint32_t> holders{1};
  std::uint32_t count = 0;
  std::uint32_t bytes = 0;

  char* data() { return reinterpret_cast<char*>(this) + sizeof(Block); }
};

namespace {

constexpr std::size_t kLongText = 0xFF;

std::size_t PackedSize(std::string_view text) {
  return text.size() + (text.size() < kLongText ? 1 : 1 + sizeof(std::uint32_t));
}

char* PackText(char* to, std::string_view text) {
  if (text.size() < kLongText) {
    *to++ = static_cast<char>(text.size());
  } else {
    *to++ = static_cast<char>(kLongText);
    const auto size = static_cast<std::uint32_t>(text.size());
    std::memcpy(to, &size, sizeof size);
    to += sizeof size;
  }
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

}  // namespace

Labels::Labels(std::initializer_list<LabelView> labels)
    : Labels(std::span<const LabelView>(labels.begin(), labels.size())) {}

Labels::Labels(const std::vector<Label>& labels) {
  std::vector<LabelView> views;
  views.reserve(labels.size());
  for (const Label& label : labels) views.push_back({label.name, label.value});
  *this = Labels(std::span<const LabelView>(views));
}

Labels::Labels(std::span<const LabelView> labels) {
  const auto wrong = [](const LabelView& a, const LabelView& b) { return a.name >= b.name; };
  if (std::ranges::adjacent_find(labels, wrong) == labels.end() &&
      std::ranges::none_of(labels, &std::string_view::empty, &LabelView::value)) {
    Pack(labels);
    return;
  }
  std::vector<LabelView> sorted(labels.begin(), labels.end());
  std::ranges::stable_sort(sorted, {}, &LabelView::name);
  // Of equal names the last wins.
  std::size_t kept = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const bool last = i + 1 == sorted.size() || sorted[i + 1].name != sorted[i].name;
    if (last && !sorted[i].value.empty()) sorted[kept++] = sorted[i];
  }
  sorted.resize(kept);
  Pack(sorted);
}

void Labels::Pack(std::span<const LabelView> labels) {
  if (labels.empty()) return;
  std::size_t bytes = 0;
  for (const LabelView& label : labels) bytes += PackedSize(label.name) + PackedSize(label.value);
  if (bytes > std::numeric_limits<std::uint32_t>::max()) throw std::length_error("a label set above 4 GiB");
  block_ = new (::operator new(sizeof(Block) + bytes)) Block;
  block_->count = static_cast<std::uint32_t>(labels.size());
  block_->bytes = static_cast<std::uint32_t>(bytes);
  char* to = block_->data();
  for (const LabelView& label : labels) to = PackText(PackText(to, label.name), label.value);
}

void Labels::Hold() const {
  if (block_ != nullptr) block_->holders.fetch_add(1, std::memory_order_relaxed);
}

void Labels::Release() {
  if (block_ == nullptr || block_->holders.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  block_->~Block();
  ::operator delete(block_);
}

std::string_view Labels::Bytes() const {
  return block_ == nullptr ? std::string_view() : std::string_view(block_->data(), block_->bytes);
}

std::size_t Labels::size() const { return block_ == nullptr ? 0 : block_->count; }
Labels::Iterator Labels::begin() const { return block_ == nullptr ? Iterator() : Iterator(block_->data()); }
Labels::Iterator Labels::end() const {
  return block_ == nullptr ? Iterator() : Iterator(block_->data() + block_->bytes);
}

std::strong_ordering Labels::operator<=>(const Labels& other) const {
  if (block_ == other.block_) return std::strong_ordering::equal;
  auto a = begin();
  auto b = other.begin();
  for (; a != end() && b != other.end(); ++a, ++b)
    if (const auto order = *a <=> *b; order != 0) return order;
  return (a != end()) <=> (b != other.end());
}

std::string_view Labels::Get(std::string_view name) const {
  // Label sets are small: a linear walk over sorted names beats a binary search.
  for (const LabelView label : *this)
    if (label.name == name) return label.value;
  return {};
}

void Labels::Set(std::string_view name, std::string_view value) {
  std::vector<LabelView> labels;
  labels.reserve(size() + 1);
  bool placed = value.empty();
  for (const LabelView label : *this) {
    if (!placed && label.name >= name) {
      labels.push_back({name, value});
      placed = true;
    }
    if (label.name != name) labels.push_back(label);
  }
  if (!placed) labels.push_back({name, value});
  if (value.empty() && labels.size() == size()) return;
  Labels changed;
  changed.Pack(labels);
  std::swap(block_, changed.block_);
}

std::uint64_t Labels::Hash() const { return std::hash<std::string_view>{}(Bytes()); }

std::uint64_t Labels::Fingerprint() const {
  std::uint64_t hash = 14695981039346656037U;
  auto add = [&](unsigned char byte) { hash = (hash ^ byte) * 1099511628211U; };
  for (const LabelView label : *this) {
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
  if (plain && size() == 1) return out;
  out += '{';
  bool first = true;
  if (!metric.empty() && !plain) {
    AppendLabelValue(out, metric);
    first = false;
  }
  for (const LabelView label : *this) {
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
