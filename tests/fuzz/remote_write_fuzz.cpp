// The body of a remote write request: whatever the bytes, it is read or refused within bounds; as snappy and as either
// version of the message.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/net/remote_write_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pipewarden;
  constexpr std::size_t kMaxBytes = 1U << 20U;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto plain = core::SnappyDecompress(bytes, kMaxBytes);
  if (plain && plain->size() > kMaxBytes) std::abort();
  for (const auto version : {core::RemoteWriteVersion::k1, core::RemoteWriteVersion::k2}) {
    for (const std::string_view message : {bytes, plain ? std::string_view(*plain) : std::string_view()}) {
      const auto read = core::DecodeRemoteWrite(std::string(message), version);
      if (!read) continue;
      for (const auto& series : read->series)
        if (series.invalid.empty() && !core::Labels(series.labels).Has(core::kMetricName)) std::abort();
    }
  }
  return 0;
}
