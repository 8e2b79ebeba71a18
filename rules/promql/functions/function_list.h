// The families of functions: one file and one line each. A test compares this list with the folder.
#pragma once

#include <span>

#include "rules/promql/functions/function.h"

#define PIPEWARDEN_PROMQL_FAMILIES(X) \
  X(Math)                             \
  X(Trigonometry)                     \
  X(Clamp)                            \
  X(Time)                             \
  X(OverTime)                         \
  X(Rate)                             \
  X(Regression)                       \
  X(Labels)                           \
  X(Histogram)                        \
  X(NativeHistogram)                  \
  X(Sort)                             \
  X(Info)                             \
  X(Convert)                          \
  X(Absent)

namespace pipewarden::rules::promql {

#define X(Family) std::span<const Function> Family##Functions();
PIPEWARDEN_PROMQL_FAMILIES(X)
#undef X

}  // namespace pipewarden::rules::promql
