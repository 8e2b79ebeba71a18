// The files that agent and pipewarden-step write for each other: reading never crashes, and a spec that reads is
// written back to one that reads the same. The masker never lets a secret through, wherever reads cut it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/step/output.h"
#include "agent/step/protocol.h"

namespace {

void Files(std::string_view text) {
  using namespace pipewarden::agent::step;
  Spec spec, again;
  std::string error;
  if (DecodeSpec(text, spec, error) && (!DecodeSpec(EncodeSpec(spec), again, error) || !(again == spec))) std::abort();
  Started started;
  DecodeStarted(text, started);
  Ended ended;
  DecodeEnded(text, ended);
  std::string reason;
  DecodeNotStarted(text, reason);
}

void Masking(std::string_view text) {
  using pipewarden::agent::step::Masker;
  const std::size_t line = text.find('\n');
  if (line == std::string_view::npos || line < 2 || line > 20) return;
  const std::string secret(text.substr(0, line));
  const std::string_view output = text.substr(line + 1);
  std::string whole;
  for (std::size_t block = 1; block < 4; ++block) {
    Masker masker({secret});
    std::string out;
    for (std::size_t at = 0; at < output.size(); at += block) masker.Feed(output.substr(at, block), out);
    masker.Flush(out);
    if (block == 1) whole = out;
    if (out != whole) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Files(text);
  Masking(text);
  return 0;
}
