#include "rules/storage/symbol_table.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

namespace pipewarden::rules {

// The bucket that holds the text, or the empty one where it belongs. REQUIRES: there are buckets, one of them empty.
std::size_t SymbolTable::Bucket(std::string_view text) const {
  const std::size_t mask = buckets_.size() - 1;
  std::size_t at = std::hash<std::string_view>{}(text)&mask;
  while (buckets_[at] != 0 && Text(buckets_[at] - 1) != text) at = (at + 1) & mask;
  return at;
}

std::optional<Symbol> SymbolTable::Find(std::string_view text) const {
  if (buckets_.empty()) return std::nullopt;
  const std::uint32_t found = buckets_[Bucket(text)];
  if (found == 0) return std::nullopt;
  return found - 1;
}

Symbol SymbolTable::Intern(std::string_view text) {
  if (used_ * 4 >= buckets_.size() * 3) Rehash(std::max<std::size_t>(64, buckets_.size() * 2));
  const std::size_t at = Bucket(text);
  if (buckets_[at] != 0) {
    const Symbol found = buckets_[at] - 1;
    ++entries_[found].references;
    return found;
  }
  Symbol symbol = 0;
  if (free_.empty()) {
    symbol = static_cast<Symbol>(entries_.size());
    entries_.emplace_back();
  } else {
    symbol = free_.back();
    free_.pop_back();
  }
  entries_[symbol] = {Store(text), static_cast<std::uint32_t>(text.size()), 1};
  buckets_[at] = symbol + 1;
  ++used_;
  return symbol;
}

const char* SymbolTable::Store(std::string_view text) {
  if (text.empty()) return "";
  if (text.size() > page_left_) {
    const std::size_t size = std::max(kPageBytes, text.size());
    pages_.push_back(std::make_unique_for_overwrite<char[]>(size));
    page_next_ = pages_.back().get();
    page_left_ = size;
    page_bytes_ += size;
  }
  char* at = page_next_;
  std::memcpy(at, text.data(), text.size());
  page_next_ += text.size();
  page_left_ -= text.size();
  return at;
}

void SymbolTable::Rehash(std::size_t buckets) {
  buckets_.assign(buckets, 0);
  used_ = 0;
  for (Symbol symbol = 0; symbol < entries_.size(); ++symbol) {
    if (entries_[symbol].text == nullptr) continue;
    buckets_[Bucket(Text(symbol))] = symbol + 1;
    ++used_;
  }
}

void SymbolTable::Compact() {
  if (std::ranges::none_of(entries_, [](const Entry& e) { return e.text != nullptr && e.references == 0; })) return;
  const auto old_pages = std::exchange(pages_, {});
  page_left_ = page_bytes_ = 0;
  for (Symbol symbol = 0; symbol < entries_.size(); ++symbol) {
    Entry& entry = entries_[symbol];
    if (entry.text == nullptr) continue;
    if (entry.references == 0) {
      entry = {};
      free_.push_back(symbol);
    } else {
      entry.text = Store({entry.text, entry.length});
    }
  }
  Rehash(buckets_.size());
}

std::size_t SymbolTable::MemoryBytes() const {
  return page_bytes_ + entries_.capacity() * sizeof(Entry) + buckets_.capacity() * sizeof(std::uint32_t);
}

}  // namespace pipewarden::rules
