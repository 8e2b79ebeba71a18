// PromQL queries: what parses prints, and what is printed parses to the same text.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "rules/promql/parser.h"
#include "rules/promql/printer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pipewarden::rules::promql;
  const std::string_view query(reinterpret_cast<const char*>(data), size);
  const ParseOptions options{.experimental_functions = true};
  const auto expr = ParseExpr(query, options);
  if (!expr) return 0;
  const std::string printed = Print(**expr);
  (void)PrettyPrint(**expr);
  const auto again = ParseExpr(printed, options);
  if (!again || Print(**again) != printed) std::abort();
  return 0;
}
