// A function of PromQL is a row: its name, what it takes and gives, one line of help, and one of three bodies. The rows
// of a family stand in functions/<family>.cpp; functions/function_list.h lists the families.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "core/result.h"
#include "rules/promql/ast.h"

namespace pipewarden::rules::promql {

class CallContext;  // functions/call_context.h: what a general body sees
class RangeWindow;  // functions/call_context.h: the samples of one series in one range
struct Value;

// Samples in, samples out, each alone: abs(v). Absent steps do not reach it; histograms are left out.
using MapBody = double (*)(double value);
// One series' window to one cell, a number, a histogram of the pool or Absent(): rate(v[5m]). `params` are the scalar
// arguments at this step, in order.
using RangeBody = double (*)(const RangeWindow& window, std::span<const double> params);
// Everything else.
using GeneralBody = core::Result<Value> (*)(CallContext& call);

struct Function {
  static constexpr std::size_t kMaxArgs = 6;

  std::string_view name;
  std::span<const ValueType> args;
  int variadic =
      0;  // 0: exactly args; n > 0: the last n (at most) may be left out; -1: the last may repeat or be absent
  ValueType result = ValueType::kVector;
  std::string_view help;
  MapBody map = nullptr;
  RangeBody range = nullptr;
  GeneralBody general = nullptr;
  bool reads_histograms = false;  // of `range`: else windows are without them, with an info where both are
  bool keeps_name = false;        // the result keeps __name__
  bool experimental = false;      // behind --enable-feature=promql-experimental-functions
  bool depends_on_step = false;   // even of constant arguments: time(), hour(), timestamp(), predict_linear()
};

// nullptr where there is none. Names are case-sensitive.
const Function* FindFunction(std::string_view name);
// All, sorted by name.
std::span<const Function* const> AllFunctions();

}  // namespace pipewarden::rules::promql
