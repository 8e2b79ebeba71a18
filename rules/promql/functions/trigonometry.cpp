// Trigonometric and hyperbolic functions, deg, rad, pi.
#include <cmath>
#include <numbers>

#include "rules/promql/functions/call_context.h"
#include "rules/promql/functions/function_list.h"

namespace pipewarden::rules::promql {
namespace {

core::Result<Value> Pi(CallContext& call) {
  Value value;
  value.type = ValueType::kScalar;
  value.scalar.assign(call.steps().count, std::numbers::pi);
  return value;
}

const Function kFunctions[] = {
    {.name = "sin", .args = kVectorArg, .help = "Sine.", .map = [](double v) { return std::sin(v); }},
    {.name = "cos", .args = kVectorArg, .help = "Cosine.", .map = [](double v) { return std::cos(v); }},
    {.name = "tan", .args = kVectorArg, .help = "Tangent.", .map = [](double v) { return std::tan(v); }},
    {.name = "asin", .args = kVectorArg, .help = "Arcsine.", .map = [](double v) { return std::asin(v); }},
    {.name = "acos", .args = kVectorArg, .help = "Arccosine.", .map = [](double v) { return std::acos(v); }},
    {.name = "atan", .args = kVectorArg, .help = "Arctangent.", .map = [](double v) { return std::atan(v); }},
    {.name = "sinh", .args = kVectorArg, .help = "Hyperbolic sine.", .map = [](double v) { return std::sinh(v); }},
    {.name = "cosh", .args = kVectorArg, .help = "Hyperbolic cosine.", .map = [](double v) { return std::cosh(v); }},
    {.name = "tanh", .args = kVectorArg, .help = "Hyperbolic tangent.", .map = [](double v) { return std::tanh(v); }},
    {.name = "asinh", .args = kVectorArg, .help = "Inverse of sinh.", .map = [](double v) { return std::asinh(v); }},
    {.name = "acosh", .args = kVectorArg, .help = "Inverse of cosh.", .map = [](double v) { return std::acosh(v); }},
    {.name = "atanh", .args = kVectorArg, .help = "Inverse of tanh.", .map = [](double v) { return std::atanh(v); }},
    {.name = "deg",
     .args = kVectorArg,
     .help = "Radians to degrees.",
     .map = [](double v) { return v * 180 / std::numbers::pi; }},
    {.name = "rad",
     .args = kVectorArg,
     .help = "Degrees to radians.",
     .map = [](double v) { return v * std::numbers::pi / 180; }},
    {.name = "pi", .args = {}, .result = ValueType::kScalar, .help = "Pi.", .general = Pi},
};

}  // namespace

std::span<const Function> TrigonometryFunctions() { return kFunctions; }

}  // namespace pipewarden::rules::promql
