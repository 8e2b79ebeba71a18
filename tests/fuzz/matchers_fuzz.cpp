// Any bytes as Alertmanager matchers: read or refused by either grammar; what is read prints, and reads back alike.
#include <cstdint>
#include <cstdlib>

#include "alertmanager/matchers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pipewarden::alertmanager;
  if (size > 4096) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)ParseClassicMatchers(text);
  if (const auto modern = ParseUtf8Matchers(text)) {
    const std::string printed = MatchersText(*modern);
    const auto again = ParseUtf8Matchers(printed);
    if (!again || *again != *modern) std::abort();
  }
  if (auto parsed = ParseMatchers(text)) {
    SortMatchers(*parsed);
    (void)MatchesAll(*parsed, {{"a", "b"}});
  }
  return 0;
}
