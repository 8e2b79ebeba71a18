// The log reader: whatever the bytes, it stops cleanly; and a storage whose log they are opens.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>

#include "rules/storage/read_chunk.h"
#include "rules/storage/wal.h"

namespace {

using namespace pipewarden;

class Reader final : public rules::WalVisitor {
 public:
  void OnSeries(rules::SeriesRef, core::TimestampMs, core::Labels labels) override { seen += labels.size(); }
  void OnSamples(core::TimestampMs, std::span<const rules::RefSample> samples) override { seen += samples.size(); }
  void OnChunk(rules::SeriesRef, rules::Chunk chunk) override {
    constexpr core::TimestampMs kEver = std::numeric_limits<core::TimestampMs>::max();
    rules::promql::SampleColumns samples;
    rules::ReadChunk(chunk.view(), -kEver, kEver, samples);
    seen += samples.size();
  }
  std::size_t seen = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Reader reader;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const rules::WalReadResult result = rules::ReadWal(bytes, reader);
  if (result.good_bytes > size || (!result.damaged && result.good_bytes != size)) std::abort();
  // A checksum keeps random bytes out of the records; so the same bytes are read as a record as well.
  if (size > 0) {
    const std::uint32_t checksum = rules::Checksum(bytes);
    std::string file(rules::kWalMagic);
    for (const std::uint32_t word : {static_cast<std::uint32_t>(size), checksum})
      for (unsigned i = 0; i < 4; ++i) file += static_cast<char>((word >> (8U * i)) & 0xFFU);
    file += bytes;
    rules::ReadWal(file, reader);
  }
  return 0;
}
