// Interned strings: each label name and value is held once, however many series carry it. A symbol stays the same for
// as long as something refers to it.
//
// Not thread-safe by itself; the head's lock covers it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace pipewarden::rules {

using Symbol = std::uint32_t;

class SymbolTable {
 public:
  SymbolTable() = default;
  SymbolTable(const SymbolTable&) = delete;
  SymbolTable& operator=(const SymbolTable&) = delete;

  // Adds a reference.
  Symbol Intern(std::string_view text);
  std::optional<Symbol> Find(std::string_view text) const;
  // Good until the next Compact.
  std::string_view Text(Symbol symbol) const { return {entries_[symbol].text, entries_[symbol].length}; }
  // Takes a reference away. The text goes with the next Compact.
  void Release(Symbol symbol) { --entries_[symbol].references; }
  // Gives back the memory of all texts without references; costs a walk over all of them. Views of Text end.
  void Compact();

  std::size_t MemoryBytes() const;

 private:
  struct Entry {
    const char* text = nullptr;
    std::uint32_t length = 0;
    std::uint32_t references = 0;  // 0 after Compact: free
  };
  static constexpr std::size_t kPageBytes = 64U << 10U;

  const char* Store(std::string_view text);
  void Rehash(std::size_t buckets);
  std::size_t Bucket(std::string_view text) const;

  std::vector<Entry> entries_;
  std::vector<Symbol> free_;
  std::vector<std::uint32_t> buckets_;  // symbol + 1; 0: empty; linear probing; size a power of two
  std::size_t used_ = 0;
  std::vector<std::unique_ptr<char[]>> pages_;
  std::size_t page_left_ = 0;
  char* page_next_ = nullptr;
  std::size_t page_bytes_ = 0;
};

}  // namespace pipewarden::rules
