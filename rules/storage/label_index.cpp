#include "rules/storage/label_index.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>
#include <utility>

namespace pipewarden::rules {
namespace {

std::size_t HashSymbol(Symbol symbol) { return static_cast<std::size_t>(symbol) * 0x9E3779B97F4A7C15ULL >> 20U; }

// Keeps what is in both. The lists' sizes often differ by orders of magnitude, so the shorter one leads and the longer
// is searched forward in growing steps.
void Intersect(std::vector<SeriesRef>& kept, std::span<const SeriesRef> other) {
  auto out = kept.begin();
  auto from = other.begin();
  for (const SeriesRef series : kept) {
    std::ptrdiff_t step = 1;
    while (other.end() - from > step && *(from + step) < series) {
      from += step;
      step *= 2;
    }
    from = std::lower_bound(from, other.end() - from > step ? from + step + 1 : other.end(), series);
    if (from == other.end()) break;
    if (*from == series) *out++ = series;
  }
  kept.erase(out, kept.end());
}

}  // namespace

PostingList::PostingList(PostingList&& other) noexcept : size_(other.size_), capacity_(other.capacity_) {
  if (capacity_ == kInline)
    std::memcpy(inline_, other.inline_, sizeof inline_);
  else
    heap_ = other.heap_;
  other.size_ = 0;
  other.capacity_ = kInline;
}

PostingList& PostingList::operator=(PostingList&& other) noexcept {
  if (this == &other) return *this;
  this->~PostingList();
  return *new (this) PostingList(std::move(other));
}

PostingList::~PostingList() {
  if (capacity_ != kInline) delete[] heap_;
}

void PostingList::Add(SeriesRef series) {
  if (size_ == capacity_) {
    const std::uint32_t wanted = capacity_ + std::max<std::uint32_t>(capacity_ / 2, 2);
    auto* grown = new SeriesRef[wanted];
    std::ranges::copy(all(), grown);
    if (capacity_ != kInline) delete[] heap_;
    heap_ = grown;
    capacity_ = wanted;
  }
  (capacity_ == kInline ? inline_ : heap_)[size_++] = series;
}

void PostingList::RemoveIf(const std::function<bool(SeriesRef)>& gone) {
  SeriesRef* begin = capacity_ == kInline ? inline_ : heap_;
  size_ = static_cast<std::uint32_t>(std::remove_if(begin, begin + size_, gone) - begin);
}

LabelIndex::Value* LabelIndex::Name::Find(Symbol value) {
  if (buckets.empty()) return nullptr;
  const std::size_t mask = buckets.size() - 1;
  for (std::size_t at = HashSymbol(value) & mask;; at = (at + 1) & mask) {
    if (buckets[at] == 0) return nullptr;
    if (values[buckets[at] - 1].value == value) return &values[buckets[at] - 1];
  }
}

void LabelIndex::Name::Rehash(std::size_t size) {
  buckets.assign(size, 0);
  const std::size_t mask = size - 1;
  for (std::uint32_t i = 0; i < values.size(); ++i) {
    std::size_t at = HashSymbol(values[i].value) & mask;
    while (buckets[at] != 0) at = (at + 1) & mask;
    buckets[at] = i + 1;
  }
}

LabelIndex::Value& LabelIndex::Name::Get(Symbol value) {
  if (Value* found = Find(value)) return *found;
  values.push_back({value, {}});
  if (values.size() * 4 > buckets.size() * 3) {
    Rehash(std::max<std::size_t>(4, buckets.size() * 2));
  } else {
    const std::size_t mask = buckets.size() - 1;
    std::size_t at = HashSymbol(value) & mask;
    while (buckets[at] != 0) at = (at + 1) & mask;
    buckets[at] = static_cast<std::uint32_t>(values.size());
  }
  return values.back();
}

void LabelIndex::Add(SeriesRef series, std::span<const SymbolPair> labels) {
  all_.push_back(series);
  for (const SymbolPair& label : labels) names_[label.name].Get(label.value).series.Add(series);
}

void LabelIndex::RemoveIf(const std::function<bool(SeriesRef)>& gone) {
  std::erase_if(all_, gone);
  for (auto name = names_.begin(); name != names_.end();) {
    std::vector<Value>& values = name->second.values;
    for (Value& value : values) value.series.RemoveIf(gone);
    std::erase_if(values, [](const Value& value) { return value.series.empty(); });
    if (values.empty()) {
      name = names_.erase(name);
    } else {
      name->second.Rehash(name->second.buckets.size());
      ++name;
    }
  }
}

const LabelIndex::Name* LabelIndex::FindName(std::string_view name) const {
  const std::optional<Symbol> symbol = symbols_.Find(name);
  if (!symbol) return nullptr;
  const auto found = names_.find(*symbol);
  return found == names_.end() ? nullptr : &found->second;
}

// The series that carry the label with a value that the matcher matches (or does not, where `wanted` is false).
std::vector<SeriesRef> LabelIndex::Matching(const core::Matcher& matcher, bool wanted) const {
  std::vector<SeriesRef> out;
  const Name* name = FindName(matcher.name());
  if (name == nullptr) return out;
  std::size_t lists = 0;
  for (const Value& value : name->values) {
    if (matcher.Matches(symbols_.Text(value.value)) != wanted) continue;
    const auto series = value.series.all();
    out.insert(out.end(), series.begin(), series.end());
    ++lists;
  }
  // A series has one value of a name, so the lists are disjoint.
  if (lists > 1) std::ranges::sort(out);
  return out;
}

std::vector<SeriesRef> LabelIndex::Select(std::span<const core::Matcher> matchers, const LabelOf& label_of) const {
  std::optional<std::vector<SeriesRef>> found;
  // Equalities first: they cost a lookup each, and what they leave is often so little that it is quicker to try the
  // other matchers on it one by one than to unite the lists of their values.
  std::vector<const core::Matcher*> others;
  for (const core::Matcher& matcher : matchers) {
    if (matcher.op() != core::MatchOp::kEqual || matcher.value().empty()) {
      others.push_back(&matcher);
      continue;
    }
    const Name* name = FindName(matcher.name());
    const std::optional<Symbol> value = name == nullptr ? std::nullopt : symbols_.Find(matcher.value());
    const Value* entry = value ? const_cast<Name*>(name)->Find(*value) : nullptr;
    if (entry == nullptr) return {};
    const auto series = entry->series.all();
    if (!found)
      found.emplace(series.begin(), series.end());
    else if (series.size() < found->size()) {
      std::vector<SeriesRef> shorter(series.begin(), series.end());
      Intersect(shorter, *found);
      found = std::move(shorter);
    } else {
      Intersect(*found, series);
    }
  }
  // Then those that need the label to be there, at last those that an absent label satisfies: they only take away.
  std::ranges::stable_sort(others, {}, [](const core::Matcher* matcher) { return matcher->MatchesEmpty(); });
  for (const core::Matcher* matcher : others) {
    const Name* name = FindName(matcher->name());
    const bool absent_matches = matcher->MatchesEmpty();
    if (name == nullptr) {
      if (absent_matches) continue;
      return {};
    }
    if (found && found->size() <= name->values.size()) {
      std::erase_if(*found, [&](SeriesRef series) { return !matcher->Matches(label_of(series, matcher->name())); });
    } else if (!absent_matches) {
      std::vector<SeriesRef> with = Matching(*matcher, true);
      if (found)
        Intersect(*found, with);
      else
        found = std::move(with);
    } else {
      const std::vector<SeriesRef> without = Matching(*matcher, false);
      if (!found) found = all_;
      std::vector<SeriesRef> rest;
      std::ranges::set_difference(*found, without, std::back_inserter(rest));
      found = std::move(rest);
    }
    if (found->empty()) return {};
  }
  return found ? *found : all_;
}

std::vector<std::string_view> LabelIndex::Names() const {
  std::vector<std::string_view> out;
  out.reserve(names_.size());
  for (const auto& [symbol, name] : names_) out.push_back(symbols_.Text(symbol));
  return out;
}

std::vector<std::string_view> LabelIndex::Values(std::string_view name) const {
  std::vector<std::string_view> out;
  if (const Name* found = FindName(name)) {
    out.reserve(found->values.size());
    for (const Value& value : found->values) out.push_back(symbols_.Text(value.value));
  }
  return out;
}

std::size_t LabelIndex::MemoryBytes() const {
  std::size_t bytes = all_.capacity() * sizeof(SeriesRef);
  for (const auto& [symbol, name] : names_) {
    bytes += sizeof(Name) + name.values.capacity() * sizeof(Value) + name.buckets.capacity() * sizeof(std::uint32_t);
    for (const Value& value : name.values) bytes += value.series.HeapBytes();
  }
  return bytes;
}

}  // namespace pipewarden::rules
