// Any bytes as a configuration file: read or refused with a place, within the bounds, and what is read reads back
// alike.
#include <cstdint>
#include <cstdlib>

#include "core/config/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pipewarden::core;
  YamlLimits limits;
  limits.max_nodes = 20'000;
  limits.max_bytes = 65'536;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ConfigErrors errors;
  const auto node = ParseYaml(text, "f", errors, limits);
  if (!node && errors.empty()) std::abort();
  if (!node || !errors.empty()) return 0;
  const std::string canonical = node->Canonical();
  if (canonical.size() > 1000) return 0;  // YAML ends an implicit key at 1024 characters, JSON does not
  const auto again = ParseYaml(canonical, "f", limits);
  if (!again || again->Canonical() != canonical) std::abort();
  return 0;
}
