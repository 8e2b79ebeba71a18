// Cron expressions: parsing never crashes, and Next goes forward, whatever the dialect.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/pipelines/cron.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pipewarden;
  static const core::TimeZone zone = core::TimeZone::Find("America/New_York").value_or(core::TimeZone());
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const core::WallTime start{std::chrono::seconds{1'457'850'000}};  // some hours before a change of the clocks
  for (const auto dst : {agent::DstDialect::kDebian, agent::DstDialect::kLiteral, agent::DstDialect::kCronos}) {
    const auto cron = agent::Cron::Parse(text, {.dst = dst});
    if (!cron) continue;
    core::WallTime time = start;
    for (int i = 0; i < 5; ++i) {
      const auto next = cron->Next(time, zone);
      if (!next) break;
      if (*next <= time) std::abort();
      time = *next;
    }
  }
  return 0;
}
