// Floating-point numbers as Go's strconv.FormatFloat writes them.
#pragma once

#include <string>

namespace pipewarden::core {

// Format e, E, f, g or G. Precision -1: the fewest digits that read back (g then has an exponent below -4 and from 6
// on). NaN, +Inf, -Inf.
std::string FormatGoFloat(double value, char format, int precision);

}  // namespace pipewarden::core
