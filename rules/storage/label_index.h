// The inverted index: for each label name and value the series that carry it, so that matchers become set operations
// on sorted lists. Series are added in rising order of their references, removed many at once.
//
// Not thread-safe by itself; the head's lock covers it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/model/matcher.h"
#include "rules/storage/symbol_table.h"

namespace pipewarden::rules {

// A series' number, the same on disk and in memory, never given twice.
using SeriesRef = std::uint32_t;

struct SymbolPair {
  Symbol name = 0;
  Symbol value = 0;
  bool operator==(const SymbolPair&) const = default;
};

// A sorted list of series. Most values belong to one or two series, which need no allocation.
class PostingList {
 public:
  PostingList() = default;
  PostingList(PostingList&& other) noexcept;
  PostingList& operator=(PostingList&& other) noexcept;
  ~PostingList();

  // REQUIRES: larger than all before.
  void Add(SeriesRef series);
  void RemoveIf(const std::function<bool(SeriesRef)>& gone);
  std::span<const SeriesRef> all() const { return {capacity_ == kInline ? inline_ : heap_, size_}; }
  bool empty() const { return size_ == 0; }
  std::size_t HeapBytes() const { return capacity_ == kInline ? 0 : capacity_ * sizeof(SeriesRef); }

 private:
  static constexpr std::uint32_t kInline = 2;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = kInline;
  union {
    SeriesRef inline_[kInline] = {};
    SeriesRef* heap_;
  };
};

class LabelIndex {
 public:
  // The value of a series' label, "" where it has none.
  using LabelOf = std::function<std::string_view(SeriesRef series, std::string_view name)>;

  explicit LabelIndex(const SymbolTable& symbols) : symbols_(symbols) {}

  void Add(SeriesRef series, std::span<const SymbolPair> labels);
  // Call before the symbols of the series are released.
  void RemoveIf(const std::function<bool(SeriesRef)>& gone);

  // The series that all matchers match, in order. Without matchers: all.
  std::vector<SeriesRef> Select(std::span<const core::Matcher> matchers, const LabelOf& label_of) const;
  // Unsorted.
  std::vector<std::string_view> Names() const;
  std::vector<std::string_view> Values(std::string_view name) const;

  std::size_t size() const { return all_.size(); }
  std::size_t MemoryBytes() const;

 private:
  struct Value {
    Symbol value = 0;
    PostingList series;
  };
  struct Name {
    std::vector<Value> values;           // in order of first appearance
    std::vector<std::uint32_t> buckets;  // place in values + 1; 0: empty; linear probing; size a power of two

    Value* Find(Symbol value);
    Value& Get(Symbol value);
    void Rehash(std::size_t size);
  };

  const Name* FindName(std::string_view name) const;
  std::vector<SeriesRef> Matching(const core::Matcher& matcher, bool wanted) const;

  const SymbolTable& symbols_;
  std::unordered_map<Symbol, Name> names_;
  std::vector<SeriesRef> all_;
};

}  // namespace pipewarden::rules
