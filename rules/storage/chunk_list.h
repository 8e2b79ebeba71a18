// The sealed chunks of a series, in one allocation: most hold a few dozen bytes, and an allocation, a pointer and a
// wide header for each would cost as much again.
//
// Not thread-safe by itself; the head's lock covers it.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#include "rules/storage/chunk.h"

namespace pipewarden::rules {

class ChunkList {
 public:
  ChunkList() = default;
  ~ChunkList();
  ChunkList(const ChunkList&) = delete;
  ChunkList& operator=(const ChunkList&) = delete;

  // Whether a chunk can stand in a list: it spans less than 49 days and holds at most 255 samples.
  static bool Takes(const ChunkView& chunk);
  // REQUIRES: Takes(chunk); it is after all that are there.
  void Add(const ChunkView& chunk);
  // Puts a chunk in the place of the last one. REQUIRES: Takes(chunk); !empty().
  void ReplaceLast(const ChunkView& chunk);
  // Drops the chunks that end before the time.
  void DropBefore(core::TimestampMs time);

  bool empty() const { return size_ == 0; }
  // REQUIRES: !empty().
  core::TimestampMs first_time() const { return At(0).first; }
  ChunkView last() const { return At(LastAt()); }
  // Calls visit(ChunkView) for each, ascending, until it returns false. The views hold until the list changes.
  template <class Visit>
  void ForEach(Visit&& visit) const {
    for (std::size_t at = 0; at < size_;) {
      const ChunkView chunk = At(at);
      if (!visit(chunk)) return;
      at += sizeof(Header) + chunk.bytes.size();
    }
  }
  std::size_t MemoryBytes() const { return size_; }

 private:
  struct Header {  // the chunk's bytes follow; not aligned
    core::TimestampMs first;
    std::uint32_t span;
    std::uint16_t size;
    std::uint8_t count;
    ChunkEncoding encoding;
  };
  static_assert(sizeof(Header) == 16);

  ChunkView At(std::size_t at) const {
    Header header;
    std::memcpy(&header, bytes_ + at, sizeof header);
    return {.encoding = header.encoding,
            .first = header.first,
            .last = header.first + header.span,
            .count = header.count,
            .bytes = {bytes_ + at + sizeof header, header.size}};
  }
  std::size_t LastAt() const;
  void Resize(std::size_t size);

  std::uint8_t* bytes_ = nullptr;
  std::uint32_t size_ = 0;
};

}  // namespace pipewarden::rules
