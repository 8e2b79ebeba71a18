#include "rules/storage/chunk_list.h"

#include <cstdlib>
#include <limits>
#include <new>

namespace pipewarden::rules {

ChunkList::~ChunkList() { std::free(bytes_); }

bool ChunkList::Takes(const ChunkView& chunk) {
  const std::uint64_t span = static_cast<std::uint64_t>(chunk.last) - static_cast<std::uint64_t>(chunk.first);
  return span <= std::numeric_limits<std::uint32_t>::max() && chunk.count <= std::numeric_limits<std::uint8_t>::max() &&
         chunk.bytes.size() <= std::numeric_limits<std::uint16_t>::max();
}

void ChunkList::Resize(std::size_t size) {
  if (size == 0) {
    std::free(bytes_);
    bytes_ = nullptr;
  } else {
    auto* resized = static_cast<std::uint8_t*>(std::realloc(bytes_, size));
    if (resized == nullptr) throw std::bad_alloc();
    bytes_ = resized;
  }
  size_ = static_cast<std::uint32_t>(size);
}

void ChunkList::Add(const ChunkView& chunk) {
  const Header header{.first = chunk.first,
                      .span = static_cast<std::uint32_t>(chunk.last - chunk.first),
                      .size = static_cast<std::uint16_t>(chunk.bytes.size()),
                      .count = static_cast<std::uint8_t>(chunk.count),
                      .encoding = chunk.encoding};
  const std::size_t at = size_;
  Resize(at + sizeof header + chunk.bytes.size());
  std::memcpy(bytes_ + at, &header, sizeof header);
  if (!chunk.bytes.empty()) std::memcpy(bytes_ + at + sizeof header, chunk.bytes.data(), chunk.bytes.size());
}

void ChunkList::DropBefore(core::TimestampMs time) {
  std::size_t gone = 0;
  ForEach([&](const ChunkView& chunk) {
    if (chunk.last >= time) return false;
    gone += sizeof(Header) + chunk.bytes.size();
    return true;
  });
  if (gone == 0) return;
  std::memmove(bytes_, bytes_ + gone, size_ - gone);
  Resize(size_ - gone);
}

std::size_t ChunkList::LastAt() const {
  std::size_t last = 0;
  std::size_t next = 0;
  ForEach([&](const ChunkView& chunk) {
    last = next;
    next += sizeof(Header) + chunk.bytes.size();
    return true;
  });
  return last;
}

void ChunkList::ReplaceLast(const ChunkView& chunk) {
  size_ = static_cast<std::uint32_t>(LastAt());
  Add(chunk);
}

}  // namespace pipewarden::rules
