// The test language of PromQL, and with it the engine: small scripts are run too.
#include <cstdint>
#include <string_view>
#include <variant>

#include "rules/promql/test_runner.h"
#include "rules/promql/test_script.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pipewarden::rules::promql;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto script = ParseScript(text);
  if (!script || size > 2000) return 0;
  std::size_t values = 0;
  for (const ScriptCommand& command : *script) {
    if (const auto* load = std::get_if<LoadCommand>(&command.command))
      for (const ScriptSeries& series : load->series) values += series.values.size();
    // Long ranges are slow rather than wrong.
    if (const auto* eval = std::get_if<EvalCommand>(&command.command); eval != nullptr && eval->is_range)
      if (eval->step <= 0 || (eval->end - eval->start) / eval->step > 1000) return 0;
  }
  if (values <= 10'000) (void)RunPromqlScript(text);
  return 0;
}
