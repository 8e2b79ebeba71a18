#include "rules/storage/segment.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "rules/storage/atomic_file.h"
#include "rules/storage/read_chunk.h"
#include "rules/storage/wal.h"

namespace pipewarden::rules {
namespace {

constexpr std::size_t kEntryBytes = 160;  // of a cached block, besides its bytes
constexpr std::string_view kMagic = "PWSEG01\n";
constexpr std::string_view kEndMagic = "PWSEGEND";
constexpr std::size_t kIndexEntryBytes = 20;
constexpr std::size_t kFooterChecksumAt = 8 + 8 + 8 + 4 + 8 + 4;
constexpr std::size_t kFooterBytes = kFooterChecksumAt + 4 + 8;

void PutFixed(std::string& out, std::uint64_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i) out += static_cast<char>((value >> (8U * i)) & 0xFFU);
}

std::uint64_t GetFixed(std::string_view in, std::size_t at, unsigned bytes) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < bytes; ++i)
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(in[at + i])) << (8U * i);
  return value;
}

// The block of a series' chunks in the window; its samples are added to `samples`. Empty where there are none.
std::string MakeBlock(const MemSeries& series, core::TimestampMs start, core::TimestampMs end, std::uint64_t& samples) {
  std::string chunks;
  std::uint64_t count = 0;
  series.closed.ForEach([&](const ChunkView& chunk) {
    if (chunk.first < start || chunk.last >= end) return true;
    PutVarint(chunks, static_cast<std::uint64_t>(chunk.encoding));
    PutVarint(chunks, chunk.count);
    PutSigned(chunks, chunk.first - start);
    PutVarint(chunks, static_cast<std::uint64_t>(chunk.last - chunk.first));
    PutVarint(chunks, chunk.bytes.size());
    chunks.append(reinterpret_cast<const char*>(chunk.bytes.data()), chunk.bytes.size());
    samples += chunk.count;
    ++count;
    return true;
  });
  if (count == 0) return {};
  std::string block;
  PutVarint(block, count);
  return block += chunks;
}

}  // namespace

SegmentCache::Bytes SegmentCache::Get(Key key) {
  const core::MutexLock lock(mutex_);
  const auto place = places_.find(key);
  if (place == places_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, place->second);
  return place->second->second;
}

void SegmentCache::Put(Key key, Bytes bytes) {
  const core::MutexLock lock(mutex_);
  if (bytes->size() > max_bytes_ / 4 || places_.contains(key)) return;
  bytes_ += bytes->size() + kEntryBytes;
  entries_.emplace_front(key, std::move(bytes));
  places_[key] = entries_.begin();
  while (bytes_ > max_bytes_ && !entries_.empty()) {
    bytes_ -= entries_.back().second->size() + kEntryBytes;
    places_.erase(entries_.back().first);
    entries_.pop_back();
  }
}

std::size_t SegmentCache::bytes() const {
  const core::MutexLock lock(mutex_);
  return bytes_;
}

core::Result<void> Segment::Write(const std::string& path, core::TimestampMs start, core::TimestampMs end,
                                  const Head& head) {
  AtomicFile file(path);
  file.Write(kMagic);
  std::string index;
  std::uint64_t samples = 0;
  std::uint32_t blocks = 0;
  head.ForEach([&](SeriesRef ref, const MemSeries& series) {
    const std::string block = MakeBlock(series, start, end, samples);
    if (block.empty()) return;
    PutFixed(index, ref, 4);
    PutFixed(index, file.size(), 8);
    PutFixed(index, block.size(), 4);
    PutFixed(index, Checksum(block), 4);
    file.Write(block);
    ++blocks;
  });
  if (blocks == 0) return core::Fail(core::ErrorCode::kNotFound, "no samples in the window");
  const std::uint64_t index_offset = file.size();
  file.Write(index);
  std::string footer;
  PutFixed(footer, static_cast<std::uint64_t>(start), 8);
  PutFixed(footer, static_cast<std::uint64_t>(end), 8);
  PutFixed(footer, index_offset, 8);
  PutFixed(footer, blocks, 4);
  PutFixed(footer, samples, 8);
  PutFixed(footer, Checksum(index), 4);
  PutFixed(footer, Checksum(footer), 4);
  footer += kEndMagic;
  file.Write(footer);
  return file.Commit();
}

core::Result<std::shared_ptr<const Segment>> Segment::Open(const std::string& path) {
  static std::atomic<std::uint64_t> next_id{1};
  std::shared_ptr<Segment> segment(new Segment);
  segment->path_ = path;
  segment->id_ = next_id.fetch_add(1, std::memory_order_relaxed);
  segment->descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (segment->descriptor_ < 0) return core::Fail(core::SystemError("open " + path, errno));
  if (auto read = segment->ReadFooter(); !read) return core::Fail(read.error());
  return segment;
}

Segment::~Segment() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

core::Error Segment::Damage(const std::string& what) const {
  damaged_.store(true, std::memory_order_relaxed);
  return {core::ErrorCode::kCorrupt, path_ + ": " + what};
}

core::Result<void> Segment::ReadFooter() {
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) return core::Fail(core::SystemError("stat " + path_, errno));
  file_bytes_ = static_cast<std::uint64_t>(status.st_size);
  if (file_bytes_ < kMagic.size() + kFooterBytes) return core::Fail(Damage("too short for a segment"));
  std::string footer(kFooterBytes, '\0');
  const ssize_t got =
      ::pread(descriptor_, footer.data(), footer.size(), static_cast<off_t>(file_bytes_ - kFooterBytes));
  if (got != static_cast<ssize_t>(footer.size())) return core::Fail(Damage("its footer cannot be read"));
  if (!footer.ends_with(kEndMagic) ||
      Checksum(std::string_view(footer).substr(0, kFooterChecksumAt)) != GetFixed(footer, kFooterChecksumAt, 4))
    return core::Fail(Damage("its footer does not read back"));
  start_ = static_cast<core::TimestampMs>(GetFixed(footer, 0, 8));
  end_ = static_cast<core::TimestampMs>(GetFixed(footer, 8, 8));
  index_offset_ = GetFixed(footer, 16, 8);
  blocks_ = static_cast<std::uint32_t>(GetFixed(footer, 24, 4));
  samples_ = GetFixed(footer, 28, 8);
  index_checksum_ = static_cast<std::uint32_t>(GetFixed(footer, 36, 4));
  const std::uint64_t index_end = index_offset_ + std::uint64_t{blocks_} * kIndexEntryBytes;
  if (index_offset_ > file_bytes_ || index_end != file_bytes_ - kFooterBytes)
    return core::Fail(Damage("its index lies outside of the file"));
  // Read once now, so that a damaged file is found at the start rather than by a query.
  SegmentCache none(0);
  auto index = Load(index_offset_, index_end - index_offset_, index_checksum_, none);
  if (!index) return core::Fail(index.error());
  return {};
}

core::Result<SegmentCache::Bytes> Segment::Load(std::uint64_t offset, std::size_t size, std::uint32_t checksum,
                                                SegmentCache& cache) const {
  const SegmentCache::Key key{id_, offset};
  if (SegmentCache::Bytes cached = cache.Get(key)) return cached;
  if (offset > file_bytes_ || size > file_bytes_ - offset)
    return core::Fail(Damage("a block lies outside of the file"));
  auto bytes = std::make_shared<std::string>(size, '\0');
  std::size_t read = 0;
  while (read < size) {
    const ssize_t got = ::pread(descriptor_, bytes->data() + read, size - read, static_cast<off_t>(offset + read));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return core::Fail(core::SystemError("read " + path_, errno));
    if (got == 0) return core::Fail(Damage("the file ends early"));
    read += static_cast<std::size_t>(got);
  }
  if (Checksum(*bytes) != checksum) return core::Fail(Damage("a block does not match its checksum"));
  cache.Put(key, bytes);
  return bytes;
}

std::optional<std::size_t> Segment::Find(SeriesRef ref, std::string_view entries) const {
  std::size_t low = 0;
  std::size_t high = blocks_;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (GetFixed(entries, middle * kIndexEntryBytes, 4) < ref)
      low = middle + 1;
    else
      high = middle;
  }
  const std::size_t at = low * kIndexEntryBytes;
  if (low == blocks_ || GetFixed(entries, at, 4) != ref) return std::nullopt;
  return at;
}

bool Segment::Has(SeriesRef ref, SegmentCache& cache) const {
  if (damaged()) return false;
  const auto index = Load(index_offset_, std::size_t{blocks_} * kIndexEntryBytes, index_checksum_, cache);
  return index && Find(ref, **index);
}

core::Result<void> Segment::Read(SeriesRef ref, core::TimestampMs from, core::TimestampMs to, SegmentCache& cache,
                                 promql::SampleColumns& out) const {
  if (damaged()) return core::Fail(core::ErrorCode::kCorrupt, path_ + ": damaged");
  auto index = Load(index_offset_, std::size_t{blocks_} * kIndexEntryBytes, index_checksum_, cache);
  if (!index) return core::Fail(index.error());
  const std::string& entries = **index;
  const auto found = Find(ref, entries);
  if (!found) return {};
  const std::size_t at = *found;
  auto block = Load(GetFixed(entries, at + 4, 8), GetFixed(entries, at + 12, 4),
                    static_cast<std::uint32_t>(GetFixed(entries, at + 16, 4)), cache);
  if (!block) return core::Fail(block.error());

  std::string_view rest = **block;
  std::uint64_t chunks = 0;
  bool good = TakeVarint(rest, chunks);
  for (; good && chunks > 0; --chunks) {
    std::uint64_t encoding = 0;
    std::uint64_t count = 0;
    std::int64_t first = 0;
    std::uint64_t span = 0;
    std::uint64_t size = 0;
    good = TakeVarint(rest, encoding) && TakeVarint(rest, count) && TakeSigned(rest, first) && TakeVarint(rest, span) &&
           TakeVarint(rest, size) && size <= rest.size() && count <= 0xFFFF;
    if (!good) break;
    const core::TimestampMs first_time = start_ + first;
    const std::string_view bytes = rest.substr(0, size);
    rest.remove_prefix(size);
    if (first_time > to) break;
    if (first_time + static_cast<core::TimestampMs>(span) < from) continue;
    if (encoding == 0 || encoding > kLastEncoding) continue;  // a newer binary's
    ReadChunk({.encoding = static_cast<ChunkEncoding>(encoding),
               .first = first_time,
               .last = first_time + static_cast<core::TimestampMs>(span),
               .count = static_cast<std::uint32_t>(count),
               .bytes = {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}},
              from, to, out);
  }
  if (!good) return core::Fail(Damage("a block does not read back"));
  return {};
}

}  // namespace pipewarden::rules
